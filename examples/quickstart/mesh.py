"""The processes of the quickstart: control, four services, and a sidecar next to each.

A Mesh lives in one work directory: a copy of control.yaml, sidecars/ and policy/, with ports that are free, and
the processes' logs and state. Every process ends with the Mesh, and when this process dies, however it dies.
"""

import ctypes
import difflib
import functools
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import time

import requests

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"  # Debian's, which has Flask; `python3` on the PATH may be another.
SERVICES = {"web": 5000, "users": 5001, "billing": 5002, "audit": 5003}
PROGRAMS = {
    "pillion-sidecar": "sidecar/pillion-sidecar",
    "pillion-control": "control/pillion-control",
    "pillionctl": "control/cli/pillionctl",
}
# Every address in the example's files, and the ones that the services listen on.
ADDRESS = re.compile(r"127\.0\.0\.1:(\d+)")
START_SECONDS = 60.0
STOP_SECONDS = 15.0
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class MeshError(Exception):
    """Something that the user can do something about. The text says what."""


def wait_for(what, condition, seconds=20.0):
    """Returns the first true result of condition(), which may raise RequestException in the meantime."""
    deadline = time.monotonic() + seconds
    last_error = ""
    while True:
        try:
            result = condition()
            if result:
                return result
            last_error = ""
        except requests.RequestException as error:
            last_error = f": {error}"
        if time.monotonic() > deadline:
            raise MeshError(f"waited {seconds:.0f} s in vain for {what}{last_error}")
        time.sleep(0.02)


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose_ports(written, as_written):
    """A free port for every port that is written in the example's files: that one, or any.

    The others come from below the range that the kernel takes for outgoing connections, so that it gives none of them
    away before the process that it is meant for listens.
    """
    if as_written and all(is_free(port) for port in written):
        return {port: port for port in written}
    first_ephemeral = int(
        pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]
    )
    candidates = list(range(10000, max(first_ephemeral, 12000)))
    random.SystemRandom().shuffle(candidates)
    free = (port for port in candidates if port not in written and is_free(port))
    try:
        return {port: next(free) for port in written}
    except StopIteration:
        raise MeshError(
            "no free ports on 127.0.0.1; end some of the programs that listen there"
        ) from None


def end_with(parent):
    """Runs in the child: the kernel kills it when the quickstart dies, even by kill -9."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # It died before.
        os._exit(1)


def find_programs(folder):
    """The paths of the three programs below `folder`, which is laid out like bazel-bin."""
    programs = {name: (folder / path).absolute() for name, path in PROGRAMS.items()}
    for name, path in programs.items():
        if not os.access(path, os.X_OK):
            raise MeshError(
                f"{path} is not there. Build it (bazel build //{PROGRAMS[name].replace('/' + name, ':' + name)}) "
                "or say with --bin-dir which folder is laid out like bazel-bin"
            )
    return programs


class Mesh:
    def __init__(self, programs, work, usual_ports):
        self.programs = programs
        self.work = work
        self.processes = {}
        self.command_lines = {}
        configs = [
            HERE / "control.yaml",
            *sorted(HERE.glob("sidecars/*.yaml")),
            *sorted(HERE.glob("policy/*.yaml")),
        ]
        texts = {path: path.read_text(encoding="utf-8") for path in configs}
        written = sorted(
            {int(port) for text in texts.values() for port in ADDRESS.findall(text)}
            | set(SERVICES.values())
        )
        self.ports = choose_ports(written, as_written=usual_ports)
        for path, text in texts.items():
            copy = work / path.relative_to(HERE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(
                ADDRESS.sub(lambda found: f"127.0.0.1:{self.ports[int(found[1])]}", text),
                encoding="utf-8",
            )
        (work / "logs").mkdir(exist_ok=True)

    # Addresses, by the ports that the example's files write.
    def url(self, written_port):
        return f"http://127.0.0.1:{self.ports[written_port]}"

    def service(self, name):
        return self.url(SERVICES[name])

    @property
    def rest(self):
        return self.url(18001)

    @property
    def web_sidecar(self):
        return self.url(15001)

    # Processes.
    def start(self):
        control = self.spawn(
            "control", [self.programs["pillion-control"], "--config", "control.yaml"]
        )
        self.wait_until_up(control, f"{self.rest}/ready", must_be=200)
        for service, port in SERVICES.items():
            environment = {"PORT": str(self.ports[port])}
            if service == "web":
                environment["HTTP_PROXY"] = self.web_sidecar
            self.spawn(service, [PYTHON, "-u", HERE / "services" / f"{service}.py"], environment)
            self.spawn(
                f"{service}-sidecar",
                [self.programs["pillion-sidecar"], "--config", f"sidecars/{service}.yaml"],
            )
        for number, service in enumerate(SERVICES):
            self.wait_until_up(service, self.service(service))
            self.wait_until_up(
                f"{service}-sidecar", f"{self.url(15000 + 100 * number)}/ready", must_be=200
            )
        self.wait_until_in_force()

    def spawn(self, name, command, environment=None):
        # A user's own proxy settings would lead the services' calls astray.
        environment = environment or {}
        self.command_lines[name] = " ".join(
            [
                *(f"{key}={value}" for key, value in environment.items()),
                *(str(part) for part in command),
            ]
        )
        inherited = {
            key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")
        }
        with open(self.log(name), "wb") as log:
            self.processes[name] = subprocess.Popen(
                [str(part) for part in command],
                cwd=self.work,
                env=inherited | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the quickstart, which ends them in order.
                preexec_fn=functools.partial(end_with, os.getpid()),
            )
        return name

    def wait_until_up(self, name, url, must_be=None):
        def up():
            self.check_alive()
            status = requests.get(url, timeout=5).status_code
            return status == must_be if must_be else True

        wait_for(f"{name} to answer at {url}; see {self.log(name)}", up, START_SECONDS)

    def command_line(self, name):
        """What starts the process again, in a shell. It does not belong to the Mesh then."""
        return f"cd {self.work} && {self.command_lines[name]}"

    def ended(self):
        """The processes that ended by themselves, with their exit status."""
        return {
            name: process.poll()
            for name, process in self.processes.items()
            if process.poll() is not None
        }

    def check_alive(self):
        for name, status in self.ended().items():
            log = self.end_of_log(name)
            hint = (
                "\nAnother program took the port meanwhile: start the quickstart again."
                if "in use" in log
                else ""
            )
            raise MeshError(
                f"{name} ended by itself (exit status {status}). The end of its log:\n{log}{hint}"
            )

    def log(self, name):
        return self.work / "logs" / f"{name}.log"

    def end_of_log(self, name, lines=8):
        text = self.log(name).read_text(encoding="utf-8", errors="replace")
        return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])

    def stop(self):
        """Ends everything, sidecars first, so that they can finish what they do. Returns the names of those that
        did not end in time or with exit status 0; services know no other way than to be ended."""
        order = sorted(self.processes, key=lambda name: (name in SERVICES, name == "control"))
        bad = []
        for group in (order[: -len(SERVICES)], order[-len(SERVICES) :]):
            running = [name for name in group if self.processes[name].poll() is None]
            for name in running:
                self.processes[name].terminate()
            deadline = time.monotonic() + STOP_SECONDS
            for name in running:
                try:
                    status = self.processes[name].wait(max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    self.processes[name].kill()
                    status = self.processes[name].wait()
                if status != 0 and name not in SERVICES:
                    bad.append(f"{name} (exit status {status}, see {self.log(name)})")
        self.processes = {}
        return bad

    # Policy.
    def policy_file(self, name):
        return self.work / "policy" / name

    def edit(self, name, *replacements):
        """Puts new texts in place of old ones in a policy file, as an editor does it. Returns the lines that changed."""
        path = self.policy_file(name)
        before = after = path.read_text(encoding="utf-8")
        for old, new in replacements:
            if after.count(old) != 1:
                raise MeshError(f"{path} does not have '{old}' exactly once")
            after = after.replace(old, new)
        scratch = path.with_name(f".{name}.new")
        scratch.write_text(after, encoding="utf-8")
        shutil.copymode(path, scratch)
        os.replace(scratch, path)
        changes = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
        return [line for line in changes if line[0] in "+-" and not line.startswith(("+++", "---"))]

    def mistakes(self):
        """What control says is wrong with the policy's files."""
        return requests.get(f"{self.rest}/v1/policy", timeout=5).json()["check"].get("errors", [])

    def versions(self):
        """The version of the policy that control serves, and those that the sidecars run."""
        answer = requests.get(f"{self.rest}/v1/nodes", timeout=5).json()
        return answer.get("current_version"), [
            node.get("version_applied") for node in answer.get("nodes", [])
        ]

    def wait_until_in_force(self, other_than=None):
        """Waits until every sidecar runs the version that control serves, and returns that version."""

        def in_force():
            self.check_alive()
            version, applied = self.versions()
            everywhere = len(applied) == len(SERVICES) and set(applied) == {version}
            return version if everywhere and version != other_than else None

        return wait_for(
            f"the policy to be in force everywhere; see {self.log('control')}",
            in_force,
            START_SECONDS,
        )

    def ctl(self, *arguments):
        """Runs pillionctl, and returns its exit status and what it printed."""
        done = subprocess.run(
            [self.programs["pillionctl"], *arguments],
            cwd=self.work,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=30,
            check=False,
        )
        return done.returncode, done.stdout
