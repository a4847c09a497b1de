"""How everything is measured: the settings of a run, rounds over contenders, and what a call cost."""

import contextlib
import dataclasses
import pathlib
import tempfile
from collections.abc import Callable

import load
from contenders import OPTIONAL, Starter
from processes import StartError
from stats import order_of_rounds

# The fixed rate, of the slowest contender's closed-loop rate: far from where queues begin.
RATE_SHARE = 0.35
FIXED_RATE_CONNECTIONS = 8


@dataclasses.dataclass
class Bench:
    """The settings of a run, from the command line."""

    contenders: list
    rounds: int
    seconds: int
    io: str  # runtime.io of the sidecar in scenarios that have no other contender
    programs: pathlib.Path
    work: pathlib.Path
    open_files: int  # that a process may have
    progress: Callable  # shows a line of text

    @contextlib.contextmanager
    def starter(self):
        """Starts servers for one scenario, in a directory of its own; all end with it."""
        with tempfile.TemporaryDirectory(dir=self.work) as directory, contextlib.ExitStack() as stack:
            yield Starter(self.programs, directory, stack)

    def start_all(self, starter, notes):
        """{name: Server} of the contenders; the optional ones only if they start."""
        servers = {}
        for name in self.contenders:
            try:
                servers[name] = starter.origin if name == "origin" else starter.start(name)
            except StartError as error:
                if name not in OPTIONAL:
                    raise
                notes.append(f"Without {name}, which does not start here: {error.reason}")
        return servers

    def in_rounds(self, names, once, what=""):
        """{name: [once(name) of each round]}, in the order that stats.order_of_rounds says."""
        results = {name: [] for name in names}
        for number, order in enumerate(order_of_rounds(names, self.rounds)):
            for name in order:
                self.progress(f"round {number + 1} of {self.rounds}{what}: {name}")
                results[name].append(once(name))
        return results


def closed_loop(server, connections, seconds, path="/", body_bytes=0, headers=None):
    """One measurement: wrk's figures, with "cpu_us" of the contender per call."""
    before = server.process.cpu_ns()
    result = load.closed_loop(server.url(path), connections, seconds, body_bytes, headers)
    server.process.expect_running()
    result["cpu_us"] = (server.process.cpu_ns() - before) / 1000 / result["requests"]
    return result


def fixed_rate(server, seconds, rate, path="/"):
    result = load.fixed_rate(server.url(path), FIXED_RATE_CONNECTIONS, seconds, rate)
    server.process.expect_running()
    return result


def rate_for_all(results):
    """A rate that no contender has to strain for, from their closed-loop results."""
    return RATE_SHARE * min(result["rate"] for rounds in results.values() for result in rounds)
