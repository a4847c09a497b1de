"""The servers that are compared: how each is configured and started, in front of the same origin.

All have one thread that serves, listen on loopback, keep connections to callers and to the origin, and write
no log of requests. nginx and haproxy get what their manuals advise for that: bench/README.md says what.
"""

import dataclasses
import os
import pathlib
import resource

import policies
from processes import Process, free_port

CONTENDERS = [
    "origin",
    "relay-epoll",
    "relay-io_uring",
    "nginx",
    "haproxy",
    "pillion",
    "pillion-io_uring",
]
RELAYS = {"relay-epoll": "relay_epoll", "relay-io_uring": "relay_uring"}
IO_OF_PILLION = {"pillion": "EPOLL", "pillion-io_uring": "IO_URING"}
BASELINE = "relay-epoll"

# A kernel or a container may not allow io_uring, and this build may not have it.
OPTIONAL = ["relay-io_uring", "pillion-io_uring"]


@dataclasses.dataclass
class Server:
    """A contender that runs and listens."""

    name: str
    process: Process
    port: int
    policy: pathlib.Path = None  # pillion's, which reads it anew when it changes

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"


class Starter:
    """Starts contenders for one scenario. Everything that was started ends with `stack`."""

    def __init__(self, programs, directory, stack):
        self._programs = pathlib.Path(programs)
        self._directory = pathlib.Path(directory)
        self._stack = stack
        self._started = 0
        self.origin = self.start("origin")

    def start(self, name, policy=None, io=None):
        """Starts the contender. For pillion: its policy (default: forward everything), and runtime.io."""
        place = self.place(name)
        if name == "origin":
            return self._own(name, place, "origin", [])
        if name in RELAYS:
            return self._own(name, place, RELAYS[name], ["--upstream", self.origin.port])
        if name == "nginx":
            return self._nginx(place)
        if name == "haproxy":
            return self._haproxy(place)
        return self._pillion(
            name, place, policy or policies.forward(self.origin.port), io or IO_OF_PILLION[name]
        )

    def place(self, name):
        """A new directory for what `name` keeps while it runs."""
        self._started += 1
        place = self._directory / f"{name}-{self._started}"
        place.mkdir()
        return place

    def run(self, name, place, command, environment=None):
        """A process whose output is in the directory `place`."""
        return self._stack.enter_context(Process(name, command, place / "log", environment))

    def _own(self, name, place, program, arguments):
        process = self.run(name, place, [self._programs / "bench" / program, "--listen", 0, *arguments])
        return Server(name, process, int(process.wait_for(r"listening on (\d+)\n")[1]))

    def _nginx(self, place):
        port = free_port()
        (place / "nginx.conf").write_text(
            NGINX.format(
                port=port,
                origin=self.origin.port,
                place=place,
                user="user root;" if os.geteuid() == 0 else "",
                open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            ),
            encoding="utf-8",
        )
        process = self.run("nginx", place, ["nginx", "-p", place, "-c", place / "nginx.conf"])
        process.wait_for_port(port)
        return Server("nginx", process, port)

    def _haproxy(self, place):
        port = free_port()
        open_files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        (place / "haproxy.cfg").write_text(
            # It wants two files a connection, and some for itself.
            HAPROXY.format(port=port, origin=self.origin.port, connections=(open_files - 200) // 2),
            encoding="utf-8",
        )
        process = self.run("haproxy", place, ["haproxy", "-db", "-f", place / "haproxy.cfg"])
        process.wait_for_port(port)
        return Server("haproxy", process, port)

    def _pillion(self, name, place, policy, io):
        policy_path = place / "policy.yaml"
        policy_path.write_text(policy, encoding="utf-8")
        (place / "sidecar.yaml").write_text(
            SIDECAR.format(policy=policy_path, place=place, io=io), encoding="utf-8"
        )
        program = self._programs / "sidecar" / "pillion-sidecar"
        process = self.run(name, place, [program, "--config", place / "sidecar.yaml"])
        process.wait_for(POLICY_IN_EFFECT)
        listening = process.wait_for(r"listener 'outbound' \([A-Z]+\) on 127.0.0.1:(\d+)")
        return Server(name, process, int(listening[1]), policy_path)


POLICY_IN_EFFECT = "policy [0-9a-f]+ is in effect"

NGINX = """\
{user}
daemon off;
pid {place}/pid;
error_log stderr crit;
worker_processes 1;
worker_rlimit_nofile {open_files};
events {{ worker_connections {open_files}; }}
http {{
  access_log off;
  client_body_temp_path {place}/client_body;
  proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi;
  scgi_temp_path {place}/scgi;

  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  tcp_nodelay on;
  client_max_body_size 0;
  client_body_buffer_size 128k;

  upstream origin {{
    server 127.0.0.1:{origin};
    keepalive 1024;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} reuseport backlog=4096;
    location / {{
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffers 8 16k;
      proxy_busy_buffers_size 32k;
      proxy_max_temp_file_size 0;
    }}
  }}
}}
"""

HAPROXY = """\
global
  nbthread 1
  maxconn {connections}

defaults
  mode http
  no log
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout http-keep-alive 1h

frontend callers
  bind 127.0.0.1:{port} backlog 4096
  maxconn {connections}
  default_backend origin

backend origin
  server origin 127.0.0.1:{origin} pool-max-conn -1 pool-purge-delay 1h
"""

SIDECAR = """\
node: {{ id: bench-1, service: bench }}
admin: {{ address: "127.0.0.1:0" }}
listeners:
- {{ name: outbound, address: "127.0.0.1:0" }}
policy: {{ files: ["{policy}"] }}
store: {{ path: "{place}/store" }}
runtime: {{ workers: 1, io: {io} }}
limits: {{ max_connections: 100000, idle_timeout: 1h }}
log: {{ access: "" }}
drain_timeout: 0s
"""
