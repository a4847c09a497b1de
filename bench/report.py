"""The figures as tables, for a terminal and for a document. Pure functions of the results' dictionaries."""

import statistics

from stats import ratios, rounds_below, spread


def preamble(results):
    machine = results["environment"]
    lines = [
        f"{machine['date']}, Pillion {machine['commit']}, {machine['processor']}, {machine['cores']} cores, "
        f"Linux {machine['kernel']}",
        f"nginx {machine['nginx']}, haproxy {machine['haproxy']}, wrk {machine['wrk']}, "
        f"h2load {machine['h2load']}; rounds of {results['seconds']} s: {results['rounds']}",
    ]
    if machine["load_average"] > machine["cores"] / 4:
        lines.append(
            f"This machine had other work when the run began (load average {machine['load_average']:.1f}): "
            "look at ratios only, and at their least and greatest."
        )
    return lines


def text(scenario):
    columns, rows = TABLES[scenario["kind"]](scenario)
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    lines = [scenario["title"]]
    for row in [columns, *rows]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines + remarks(scenario))


def markdown(scenario):
    columns, rows = TABLES[scenario["kind"]](scenario)
    lines = [f"| {' | '.join(columns)} |", "| --- |" + " ---: |" * (len(columns) - 1)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines + [""] + [f"{line}  " for line in remarks(scenario)]).rstrip() + "\n"


def remarks(scenario):
    lines = [f"{note}." for note in scenario["notes"]]
    if scenario["kind"] == "load":
        lines += comparisons(scenario["contenders"])
    if "latency" in scenario:
        lines += latencies(**scenario["latency"])
    for target in scenario.get("targets", []):
        reached = f"{target['value']:.2f} {target['unit']}"
        lines.append(f"Target {target['target']}: {reached}, {'' if target['met'] else 'not '}met.")
    return lines


def latencies(rate, rounds):
    """From call to 202 to delivery, when there is little to do."""
    lines = []
    for kind, results in rounds.items():
        accepted, p50, p99 = (
            f"{statistics.median(each[what] for each in results):,.0f} us"
            for what in ["accepted_p50_us", "p50_us", "p99_us"]
        )
        lines.append(f"{kind} at {rate} calls/s: 202 after {accepted}, delivered {p50} later (p99: {p99}).")
    return lines


def comparisons(contenders):
    """In how many rounds Pillion was cheaper than each peer: the median alone could hide some."""
    lines = []
    for ours in ["pillion", "pillion-io_uring"]:
        peers = [peer for peer in ["nginx", "haproxy"] if peer in contenders]
        if ours not in contenders or not peers:
            continue
        costs = column(contenders, ours, "cpu_us")
        counts = [
            f"{peer} in {rounds_below(costs, column(contenders, peer, 'cpu_us'))}" for peer in peers
        ]
        lines.append(f"Of {len(costs)} rounds, {ours} took less CPU than {' and than '.join(counts)}.")
    return lines


def column(contenders, name, figure, kind="closed_loop"):
    """The figure of every round."""
    return [result[figure] for result in contenders[name][kind]]


def cpu_ratios(scenario, name):
    contenders = scenario["contenders"]
    return ratios(
        column(contenders, name, "cpu_us"), column(contenders, scenario["baseline"], "cpu_us")
    )


def _of_spread(values, digits=2):
    middle, least, greatest = spread(values)
    if len(values) == 1:
        return f"{middle:,.{digits}f}"
    return f"{middle:,.{digits}f} ({least:,.{digits}f} to {greatest:,.{digits}f})"


def _middle(contenders, name, figure, kind="closed_loop", digits=0):
    return f"{statistics.median(column(contenders, name, figure, kind)):,.{digits}f}"


def _load_table(scenario):
    contenders = scenario["contenders"]
    columns = ["contender", "CPU us/call", f"x {scenario['baseline']}", "calls/s", "p50 us", "p99 us"]
    at_rate = "rate" in scenario
    if at_rate:
        columns += [f"p50 us at {scenario['rate']:,}/s", "p99 us"]
    columns.append("MiB resident")
    rows = []
    for name, figures in contenders.items():
        row = [name, _middle(contenders, name, "cpu_us", digits=1), _of_spread(cpu_ratios(scenario, name))]
        row += [_middle(contenders, name, figure) for figure in ["rate", "p50_us", "p99_us"]]
        if at_rate:
            row += [_middle(contenders, name, figure, "fixed_rate") for figure in ["p50_us", "p99_us"]]
        rows.append([*row, f"{figures['memory_kib']['rss'] / 1024:.1f}"])
    return columns, rows


def _idle_table(scenario):
    columns = ["contender", "MiB resident before", "with the connections", "KiB a connection"]
    rows = []
    for name, figures in scenario["contenders"].items():
        before, after = figures["before_kib"], figures["after_kib"]
        each = (after["rss"] - before["rss"]) / figures["connections"]
        rows.append([name, f"{before['rss'] / 1024:.1f}", f"{after['rss'] / 1024:.1f}", f"{each:.2f}"])
    return columns, rows


def _durable_table(scenario):
    contenders = scenario["contenders"]
    forwarded = {
        figures["connections"]: column(contenders, name, "rate")
        for name, figures in contenders.items()
        if figures["kind"] == "forward"
    }
    columns = ["call", "calls/s", "x forward", "p50 us", "p99 us", "CPU us/call"]
    columns += ["not begun at the end", "delivered/s"]
    rows = []
    for name, figures in contenders.items():
        rates = column(contenders, name, "rate")
        row = [name, f"{statistics.median(rates):,.0f}"]
        row.append(_of_spread(ratios(rates, forwarded[figures["connections"]])))
        for figure, digits in [("p50_us", 0), ("p99_us", 0), ("cpu_us", 1)]:
            row.append(_middle(contenders, name, figure, digits=digits))
        for figure in ["waiting", "delivered_rate"]:
            measured = figure in figures["closed_loop"][0]
            row.append(_middle(contenders, name, figure) if measured else "")
        rows.append(row)
    return columns, rows


COUNTED = ["changes", "requests", "failed"]


def _policy_change_table(scenario):
    contenders = scenario["contenders"]
    columns = ["policy", "changes", "calls", "failed", "p50 us", "p99 us", "p99 x unchanged"]
    still = column(contenders, "unchanged", "p99_us", "fixed_rate")
    rows = []
    for name, figures in contenders.items():
        results = figures["fixed_rate"]
        total = {what: sum(each.get(what, 0) for each in results) for what in COUNTED}
        row = [name, *(f"{total[what]:,}" for what in COUNTED)]
        row += [_middle(contenders, name, figure, "fixed_rate") for figure in ["p50_us", "p99_us"]]
        rows.append([*row, _of_spread(ratios([each["p99_us"] for each in results], still))])
    return columns, rows


TABLES = {
    "load": _load_table,
    "idle": _idle_table,
    "durable": _durable_table,
    "policy-change": _policy_change_table,
}
