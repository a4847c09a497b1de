"""What is aimed at, and whether a run reached it. Pure functions of the results' dictionaries."""

import statistics

from stats import ratios

# Durable calls of this many connections, in calls/s: against forwarded ones, and against each peer.
CONNECTIONS = 64
OF_FORWARD = 0.6
OF_PEER = 1.0

# Idle, from the 202 of a call until it is delivered.
P50_TO_DELIVERED_US = 3000

DURABLE = ["async", "publish"]
STORED = "async-later"


def of_durable(contenders, latency):
    """[{"target": text, "value", "unit", "met"}] for the figures of Durable."""
    figures = {
        each["kind"]: each["closed_loop"]
        for each in contenders.values()
        if each["connections"] == CONNECTIONS
    }
    targets = []
    for kind in [kind for kind in [*DURABLE, STORED] if kind in figures]:
        for other in [other for other in figures if other not in [*DURABLE, STORED]]:
            least = OF_FORWARD if other == "forward" else OF_PEER
            each_round = ratios(_rates(figures[kind]), _rates(figures[other]))
            value = statistics.median(each_round)
            text = f"{kind} of {CONNECTIONS} connections, at least {least:.2f} x {other}"
            targets.append({"target": text, "value": value, "unit": "x", "met": value >= least})
        if kind not in latency:
            continue
        value = statistics.median(result["p50_us"] for result in latency[kind])
        text = f"{kind}, p50 from 202 to delivered when idle, at most {P50_TO_DELIVERED_US / 1000:.1f} ms"
        met = value <= P50_TO_DELIVERED_US
        targets.append({"target": text, "value": value / 1000, "unit": "ms", "met": met})
    return targets


def _rates(results):
    return [result["rate"] for result in results]
