"""What is measured. A scenario has a title, and when called with a measure.Bench gives all its figures:

    {"kind": which table of report.py shows it, "title": ..., "notes": [what a reader must know of this run],
     "contenders": {name: {"closed_loop": [a dictionary for each round], ...}}, ...}
"""

import dataclasses

import measure
import policies
from contenders import BASELINE
from durable import Durable
from idle import Idle
from load import REALISTIC_HEADERS
from policy_change import PolicyChange


@dataclasses.dataclass
class Load:
    """All contenders under the same load."""

    title: str
    connections: int = 32
    path: str = "/"
    body_bytes: int = 0
    headers: dict = None
    at_fixed_rate: bool = False

    def __call__(self, bench):
        notes = []
        with bench.starter() as starter:
            return self.measure(bench, bench.start_all(starter, notes), BASELINE, notes)

    def measure(self, bench, servers, baseline, notes):
        """The figures of servers that run; ratios are to the baseline's."""

        def once(name, seconds=bench.seconds):
            return measure.closed_loop(
                servers[name], self.connections, seconds, self.path, self.body_bytes, self.headers
            )

        for name in servers:
            bench.progress(f"warm-up: {name}")
            once(name, seconds=1)
        rounds = bench.in_rounds(servers, once)
        figures = {
            name: {"closed_loop": rounds[name], "memory_kib": server.process.memory_kib()}
            for name, server in servers.items()
        }
        for name in servers:
            for what in ["refused", "broken"]:
                if lost := sum(result[what] for result in rounds[name]):
                    notes.append(f"{name}: {lost:,} calls {what}")
        result = {
            "kind": "load",
            "title": self.title,
            "connections": self.connections,
            "baseline": baseline,
            "contenders": figures,
            "notes": notes,
        }
        if self.at_fixed_rate:
            result["rate"] = round(measure.rate_for_all(rounds))
            self._measure_latency(bench, servers, figures, result["rate"])
        return result

    def _measure_latency(self, bench, servers, figures, rate):
        rounds = bench.in_rounds(
            servers,
            lambda name: measure.fixed_rate(servers[name], bench.seconds, rate, self.path),
            f" at {rate:,} calls/s",
        )
        for name in servers:
            figures[name]["fixed_rate"] = rounds[name]


class Routes:
    """The same load for a sidecar with few routes and one with many; the call is for the last of them."""

    title = "10,000 routes in the policy against 10"

    def __call__(self, bench):
        with bench.starter() as starter:
            servers = {}
            for count in [10, 10_000]:
                name = f"pillion, {count:,} routes"
                bench.progress(f"starting {name}")
                policy = policies.many_routes(starter.origin.port, count)
                servers[name] = starter.start("pillion", policy, bench.io)
            load = Load(self.title, path=policies.PATH_OF_LAST_ROUTE)
            return load.measure(bench, servers, next(iter(servers)), [])


SCENARIOS = {
    "forward": Load("Small calls, 32 connections", at_fixed_rate=True),
    "one-connection": Load("Small calls, 1 connection", connections=1),
    "thousand-connections": Load("Small calls, 1,000 connections", connections=1000),
    "idle": Idle(),
    "answers-64k": Load("Answers of 64 KiB, 32 connections", path="/bytes/65536"),
    "answers-1m": Load("Answers of 1 MiB, 32 connections", path="/bytes/1048576"),
    "post-64k": Load("Requests of 64 KiB, 32 connections", body_bytes=65536),
    "headers": Load("30 request headers, 32 connections", headers=REALISTIC_HEADERS),
    "routes": Routes(),
    "durable": Durable(),
    "policy-change": PolicyChange(),
}
