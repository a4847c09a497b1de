"""Processes that the benchmark starts: found when they are ready, measured, and ended whatever happens."""

import contextlib
import ctypes
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import time

STARTS_WITHIN = 30  # seconds
ENDS_WITHIN = 3

PR_SET_PDEATHSIG = 1


class StartError(Exception):
    """A process that did not start or did not stay; the text names it and says what it said."""

    def __init__(self, name, what, output=""):
        lines = output.splitlines()[-15:]
        said = "".join(f"\n  {line}" for line in lines)
        super().__init__(f"{name} {what}" + (f"; the end of its output:{said}" if said else ""))
        # In a line, without the place in a file that only exists while it runs.
        self.reason = re.sub(r"^/\S+: ", "", lines[-1]) if lines else what


def allow_open_files(wanted):
    """Raises the limit of open files, which started processes inherit. Returns what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted:
        with contextlib.suppress(ValueError, OSError):  # Only root may.
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return wanted
    allowed = min(wanted, hard)
    if soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return max(soft, allowed)


def free_port():
    """For programs that cannot choose one by themselves."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _end_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Process:
    """One program in a session of its own, with its output in `log`. A context manager: the end ends it.

    `environment`: variables besides those of the benchmark itself.
    """

    def __init__(self, name, command, log, environment=None):
        self.name = name
        self.log = pathlib.Path(log)
        with open(self.log, "wb") as output:
            try:
                self._process = subprocess.Popen(
                    [str(word) for word in command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=_end_with_parent,
                    env=os.environ | {key: str(value) for key, value in (environment or {}).items()},
                )
            except OSError as error:
                raise StartError(name, f"cannot be run: {command[0]}: {error.strerror}") from error
        self.pid = self._process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            # The whole group: nginx's workers outlive a master that is killed.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(ENDS_WITHIN)

    def output(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def expect_running(self):
        status = self._process.poll()
        if status is not None:
            raise self.failure(f"ended with status {status}")

    def failure(self, what):
        return StartError(self.name, what, self.output())

    def wait_for(self, pattern, count=1, within=STARTS_WITHIN):
        """The `count`th match of the pattern in the output, `within` so many seconds."""
        expression = re.compile(pattern)
        for _ in self._until_started(f"did not say '{pattern}'", within):
            found = list(expression.finditer(self.output()))
            if len(found) >= count:
                return found[count - 1]
        return None

    def wait_for_port(self, port):
        for _ in self._until_started(f"does not listen on port {port}"):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return

    def _until_started(self, what, within=STARTS_WITHIN):
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            ended = self._process.poll() is not None
            yield
            if ended:
                self.expect_running()
            time.sleep(0.02)
        raise self.failure(f"{what} within {within} s")

    def _pids(self):
        """It and its children: nginx works in those."""
        children = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii")
        return [self.pid, *map(int, children.split())]

    def cpu_ns(self):
        """CPU time so far, of all threads: the first field of each one's schedstat."""
        return sum(
            int(schedstat.read_text(encoding="ascii").split()[0])
            for pid in self._pids()
            for schedstat in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")
        )

    def memory_kib(self):
        """Resident memory: {"rss": ..., "pss": ...}; pss counts shared pages by their share."""
        total = {"rss": 0, "pss": 0}
        for pid in self._pids():
            rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
            for kind in total:
                total[kind] += int(re.search(rf"^{kind}: +(\d+) kB", rollup, re.I | re.M)[1])
        return total
