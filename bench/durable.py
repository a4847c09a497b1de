"""Calls that are on disk before they are answered, beside calls that are only forwarded."""

import re
import urllib.request

import measure
import policies

KINDS = ["forward", "async", "publish"]
CONNECTIONS = [1, 64]
BODY_BYTES = 256


class Durable:
    """Each measurement has a sidecar of its own, so that none delivers what another has accepted."""

    title = "Accepted on disk, beside forwarded"

    def __call__(self, bench):
        notes = [f"The store is in {bench.work.parent}, a file system of type {file_system(bench.work)}"]
        figures = {}
        for connections in CONNECTIONS:
            plural = "" if connections == 1 else "s"
            names = {f"{kind}, {connections} connection{plural}": kind for kind in KINDS}
            rounds = bench.in_rounds(names, lambda name: _once(bench, names[name], connections))
            for name, kind in names.items():
                figures[name] = {"kind": kind, "connections": connections, "closed_loop": rounds[name]}
                for what in ["refused", "broken"]:
                    if lost := sum(result[what] for result in rounds[name]):
                        notes.append(f"{name}: {lost:,} calls {what}")
        return {
            "kind": "durable",
            "title": self.title,
            "contenders": figures,
            "notes": notes,
        }


def _once(bench, kind, connections):
    with bench.starter() as starter:
        server = starter.start("pillion", policies.durable(starter.origin.port), bench.io)
        measure.closed_loop(server, connections, 1, "/forward", BODY_BYTES)
        result = measure.closed_loop(server, connections, bench.seconds, f"/{kind}", BODY_BYTES)
        result["waiting"] = waiting(server)
        return result


def waiting(server):
    """How many deliveries have not begun when the load ends."""
    admin = server.process.wait_for(r"admin on 127.0.0.1:(\d+)")[1]
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/stats/prometheus", timeout=10) as answer:
        stats = answer.read().decode()
    return int(float(re.search(r"^pillion_delivery_pending (\S+)$", stats, re.MULTILINE)[1]))


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
