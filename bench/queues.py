"""What is used today to answer a call before it is done, as peers of durable calls: Redis, RabbitMQ, and Flask with
RQ. How each is configured and started; bench/README.md says why so.

Each says that it has a message only when that would survive a power cut. All listen on loopback only, keep what
they write in a directory of the benchmark, and end with the Starter that started them.
"""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Callable

import load
from processes import StartError, free_port

# By its own path: the one in /usr/sbin would run it as another user, in the directories of the system's service.
RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"

# RabbitMQ takes some seconds on an idle machine, and a minute on a busy one.
RABBITMQ_STARTS_WITHIN = 180


@dataclasses.dataclass
class Peer:
    """A way to store a message that runs."""

    processes: list
    publish: Callable  # (connections, seconds) -> what load.closed_loop returns

    def measure(self, connections, seconds):
        """As measure.closed_loop: with "cpu_us" of all its processes per message."""
        before = self._cpu_ns()
        result = self.publish(connections, seconds)
        for process in self.processes:
            process.expect_running()
        result["cpu_us"] = (self._cpu_ns() - before) / 1000 / result["requests"]
        return result

    def _cpu_ns(self):
        return sum(process.cpu_ns() for process in self.processes)


def start_all(starter, publisher, body_bytes, notes):
    """{kind: Peer} of those that start here; `publisher` is the program of publisher.cc."""

    def publishing(process, port, protocol):
        return Peer(
            [process], lambda *load_of: load.publishing(publisher, protocol, port, *load_of, body_bytes)
        )

    peers = {}
    with _noted(notes, "Redis, Flask and RQ"):
        redis, port = _redis(starter)
        peers["redis"] = publishing(redis, port, "redis")
        with _noted(notes, "Flask and RQ"):
            flask, url = _flask(starter, port)
            peers["flask-rq"] = Peer(
                [flask, redis], lambda *load_of: load.closed_loop(url, *load_of, body_bytes)
            )
    with _noted(notes, "RabbitMQ"):
        rabbitmq, port = _rabbitmq(starter)
        peers["rabbitmq-classic"] = publishing(rabbitmq, port, "amqp-classic")
        peers["rabbitmq-quorum"] = publishing(rabbitmq, port, "amqp-quorum")
    return peers


@contextlib.contextmanager
def _noted(notes, what):
    try:
        yield
    except StartError as error:
        notes.append(f"Without {what}, because it does not start here: {error.reason}")


def _redis(starter):
    place, port = starter.place("redis"), free_port()
    (place / "redis.conf").write_text(REDIS.format(port=port, place=place), encoding="utf-8")
    process = starter.run("redis", place, ["redis-server", place / "redis.conf"])
    process.wait_for_port(port)
    return process, port


def _flask(starter, redis_port):
    place, port = starter.place("flask"), free_port()
    command = ["gunicorn", "--chdir", pathlib.Path(__file__).parent, "--bind", f"127.0.0.1:{port}"]
    command += ["--worker-class", "gthread", "--workers", len(os.sched_getaffinity(0)), "--threads", 4]
    command += ["--keep-alive", 3600, "--worker-tmp-dir", place, "enqueue:app"]
    process = starter.run("flask", place, command, {"REDIS_PORT": redis_port})
    process.wait_for_port(port)
    return process, f"http://127.0.0.1:{port}/enqueue"


def _rabbitmq(starter):
    place, port = starter.place("rabbitmq"), free_port()
    names, distribution = free_port(), free_port()
    (place / "rabbitmq.conf").write_text(RABBITMQ_CONF.format(port=port), encoding="utf-8")
    (place / "enabled_plugins").write_text("[].\n", encoding="utf-8")
    (place / "rabbitmq-env.conf").write_text("", encoding="utf-8")
    names_of_nodes = {"ERL_EPMD_PORT": names, "ERL_EPMD_ADDRESS": "127.0.0.1"}
    # Erlang's register of nodes: it would start one itself, which stays when everything else has ended.
    epmd = starter.run("epmd", starter.place("epmd"), ["epmd"], names_of_nodes)
    epmd.wait_for_port(names)
    environment = names_of_nodes | {
        "HOME": place,  # where it makes the cookie
        "RABBITMQ_NODENAME": f"pillion-bench-{port}@localhost",
        "RABBITMQ_DIST_PORT": distribution,
        "RABBITMQ_MNESIA_BASE": place / "mnesia",
        "RABBITMQ_LOG_BASE": place,
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": place / "pid",
        "RABBITMQ_CONF_ENV_FILE": place / "rabbitmq-env.conf",
        "RABBITMQ_CONFIG_FILE": place / "rabbitmq.conf",
        "RABBITMQ_ADVANCED_CONFIG_FILE": place / "advanced.config",
        "RABBITMQ_GENERATED_CONFIG_DIR": place / "generated",
        "RABBITMQ_ENABLED_PLUGINS_FILE": place / "enabled_plugins",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_CRASH_DUMP": place / "crash",
    }
    process = starter.run("rabbitmq", place, [RABBITMQ], environment)
    process.wait_for(r"Server startup complete", within=RABBITMQ_STARTS_WITHIN)
    return process, port


REDIS = """\
bind 127.0.0.1
port {port}
dir {place}
daemonize no
save ""
appendonly yes
appendfsync always
auto-aof-rewrite-percentage 0
tcp-backlog 4096
"""

RABBITMQ_CONF = """\
listeners.tcp.local = 127.0.0.1:{port}
log.console.level = info
log.connection.level = error
"""
