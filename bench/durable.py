"""Calls that are on disk before they are answered: beside calls that are only forwarded, and beside what else
stores a message. And how soon they are delivered."""

import re
import time
import urllib.request

import measure
import policies
import queues
import targets
from delivery_latency import RATE, Subscriber
from environment import package_versions
from load import LoadError
from stats import percentile

# Of a call, as Pillion's policy of this scenario names it, and of a message for a peer.
NAMES = {
    "forward": "forward",
    "async": "async",
    "async-later": "async, delivered later",
    "publish": "publish",
    "redis": "Redis XADD",
    "rabbitmq-classic": "RabbitMQ classic",
    "rabbitmq-quorum": "RabbitMQ quorum",
    "flask-rq": "Flask with RQ",
}
DURABLE = targets.DURABLE
# Only accepted, as messages are by the peers; the others are delivered meanwhile, on the same cores.
STORED = targets.STORED
CONNECTIONS = [1, 16, 64, 256]
BODY_BYTES = 256

# With so many connections it is also awaited that everything that was accepted is delivered.
DELIVERED_OF = targets.CONNECTIONS
DELIVERED_WITHIN = 120  # seconds

PACKAGES = ["redis-server", "rabbitmq-server", "python3-flask", "python3-rq", "gunicorn"]


class Durable:
    """Each measurement has a sidecar of its own, so that none delivers what another has accepted."""

    title = "Accepted on disk, beside forwarded, Redis, RabbitMQ, and Flask with RQ"

    def __call__(self, bench):
        notes = [
            f"The stores are in {bench.work.parent}, a file system of type {file_system(bench.work)}",
            "Beside " + ", ".join(f"{name} {version}" for name, version in package_versions(PACKAGES)),
        ]
        with bench.starter() as starter:
            bench.progress("starting the peers")
            publisher = bench.programs / "bench" / "publisher"
            peers = queues.start_all(starter, publisher, BODY_BYTES, notes)
            for kind, peer in peers.items():
                bench.progress(f"warm-up: {NAMES[kind]}")
                peer.measure(targets.CONNECTIONS, 1)
            figures = _accepted(bench, peers, notes)
        latency = bench.in_rounds(
            DURABLE, lambda kind: _latency(bench, kind), f" at {RATE} calls/s to the delivery"
        )
        return {
            "kind": "durable",
            "title": self.title,
            "contenders": figures,
            "latency": {"rate": RATE, "rounds": latency},
            "targets": targets.of_durable(figures, latency),
            "notes": notes,
        }


def _accepted(bench, peers, notes):
    figures = {}
    for connections in CONNECTIONS:
        plural = "" if connections == 1 else "s"
        kinds = {
            f"{name}, {connections} connection{plural}": kind
            for kind, name in NAMES.items()
            if kind in ["forward", *DURABLE, STORED, *peers]
        }

        def once(name, kinds=kinds, connections=connections):
            if kinds[name] in peers:
                return peers[kinds[name]].measure(connections, bench.seconds)
            return _of_pillion(bench, kinds[name], connections)

        rounds = bench.in_rounds(kinds, once)
        for name, kind in kinds.items():
            figures[name] = {"kind": kind, "connections": connections, "closed_loop": rounds[name]}
            for what in ["refused", "broken"]:
                if lost := sum(result[what] for result in rounds[name]):
                    notes.append(f"{name}: {lost:,} calls {what}")
    return figures


def _of_pillion(bench, kind, connections):
    with bench.starter() as starter:
        server = starter.start("pillion", policies.durable(starter.origin.port), bench.io)
        # As the peers, it has done the same before.
        measure.closed_loop(server, connections, 1, f"/{kind}", BODY_BYTES)
        if kind in DURABLE:
            wait_for_deliveries(server)
        before = deliveries(server)
        begin = time.monotonic()
        result = measure.closed_loop(server, connections, bench.seconds, f"/{kind}", BODY_BYTES)
        result["waiting"] = deliveries(server)["pending"] - before["pending"]
        if kind in DURABLE and connections == DELIVERED_OF:
            delivered = wait_for_deliveries(server) - before["accepted"]
            result["delivered_rate"] = delivered / (time.monotonic() - begin)
        return result


def _latency(bench, kind):
    with bench.starter() as starter, Subscriber() as subscriber:
        server = starter.start("pillion", policies.durable(subscriber.port), bench.io)
        subscriber.measure(server.port, f"/{kind}", RATE // 10)
        took = subscriber.measure(server.port, f"/{kind}", RATE * bench.seconds)
    accepted, delivered = zip(*took)
    return {
        "calls": len(took),
        "accepted_p50_us": percentile(accepted, 50),
        "p50_us": percentile(delivered, 50),
        "p99_us": percentile(delivered, 99),
    }


def wait_for_deliveries(server):
    """How many have been accepted, when all of them are delivered."""
    deadline = time.monotonic() + DELIVERED_WITHIN
    while time.monotonic() < deadline:
        counts = deliveries(server)
        if counts["succeeded"] == counts["accepted"]:
            return counts["accepted"]
        time.sleep(0.02)
    raise LoadError(f"{counts} after {DELIVERED_WITHIN} s: not everything was delivered")


def deliveries(server):
    """How many are pending, and how many were accepted and succeeded so far, as the sidecar counts."""
    admin = server.process.wait_for(r"admin on 127.0.0.1:(\d+)")[1]
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/stats/prometheus", timeout=10) as answer:
        return read_deliveries(answer.read().decode())


def read_deliveries(stats):
    names = {
        "pending": "pillion_delivery_pending",
        "accepted": "pillion_delivery_accepted_total",
        "succeeded": 'pillion_delivery_finished_total{state="succeeded"}',
    }
    return {
        what: int(float(re.search(rf"^{re.escape(name)} (\S+)$", stats, re.MULTILINE)[1]))
        for what, name in names.items()
    }


def file_system(path):
    """The type of the file system that the path is on; syncing costs nothing on tmpfs."""
    best = ("", "unknown")
    with open("/proc/mounts", encoding="utf-8") as mounts:
        for line in mounts:
            _, place, kind, *_ = line.split()
            inside = str(path) == place or str(path).startswith(place.rstrip("/") + "/")
            if inside and len(place) >= len(best[0]):
                best = (place, kind)
    return best[1]
