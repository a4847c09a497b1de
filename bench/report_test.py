#!/usr/bin/python3
"""Statistics, tables and the chart, of made-up figures."""

import os
import pathlib
import sys
import unittest
import xml.etree.ElementTree as xml

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path("bench").absolute()))

import delivery_latency  # noqa: E402
import environment  # noqa: E402
import load  # noqa: E402
import plot  # noqa: E402
import publish  # noqa: E402
import report  # noqa: E402
import stats  # noqa: E402
import targets  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"


def closed_loop(*costs):
    return [
        {"cpu_us": cost, "rate": 1000 * cost, "p50_us": 10 * cost, "p99_us": 100 * cost, "waiting": 0}
        for cost in costs
    ]


def figures(*costs):
    return {"closed_loop": closed_loop(*costs), "memory_kib": {"rss": 2048, "pss": 1024}}


def load_scenario(**more):
    return {
        "kind": "load",
        "title": "Small calls & <more>",
        "connections": 32,
        "baseline": "relay-epoll",
        "contenders": {
            "relay-epoll": figures(10, 20, 10),
            "nginx": figures(15, 40, 20),
            "haproxy": figures(10, 30, 14),
            "pillion": figures(9, 30, 15),
        },
        "notes": ["Only half as long"],
        **more,
    }


def results(**scenarios):
    machine = {"date": "2026-11-22", "commit": "abc1234", "processor": "Some & Any", "cores": 2}
    machine |= {"kernel": "6.1", "load_average": 0.1, "nginx": "1", "haproxy": "2", "wrk": "3", "h2load": "4"}
    return {"environment": machine, "rounds": 3, "seconds": 1, "scenarios": scenarios}


class Statistics(unittest.TestCase):
    def test_every_second_round_is_backwards(self):
        self.assertEqual(
            stats.order_of_rounds({"a": 1, "b": 2, "c": 3}, 3), [list("abc"), list("cba"), list("abc")]
        )

    def test_percentiles_are_values_that_occurred(self):
        values = list(range(100, 0, -1))
        self.assertEqual([stats.percentile(values, p) for p in [0, 50, 99, 100]], [1, 50, 99, 100])
        self.assertEqual(stats.percentile([7], 99), 7)
        with self.assertRaises(ValueError):
            stats.percentile([], 50)

    def test_ratios_are_taken_round_by_round(self):
        self.assertEqual(stats.ratios([15, 40, 20], [10, 20, 10]), [1.5, 2, 2])
        with self.assertRaises(ValueError):
            stats.ratios([1, 2], [1])

    def test_spread_is_median_least_and_greatest(self):
        self.assertEqual(stats.spread([3, 1, 10]), (3, 1, 10))

    def test_an_equal_round_is_not_below(self):
        self.assertEqual(stats.rounds_below([9, 30, 15], [10, 30, 14]), 1)


class Loads(unittest.TestCase):
    SAID = "requests: 9 total, 9 started, 9 done, 9 succeeded, {} failed, {} errored, 0 timeout\n"

    def test_latency_is_that_of_good_answers(self):
        lines = [["0", "200", str(duration)] for duration in range(1, 100)] + [["0", "503", "9000"]]
        read = load.read_fixed_rate(self.SAID.format(0, 0), lines, seconds=2)
        expected = {"requests": 100, "rate": 50, "p50_us": 50, "p99_us": 99, "failed": 1}
        self.assertEqual(read, expected)

    def test_calls_without_an_answer_have_failed(self):
        read = load.read_fixed_rate(self.SAID.format(4, 3), [["0", "200", "5"]], seconds=1)
        self.assertEqual(read["failed"], 4)

    def test_no_result_is_an_error_with_what_was_said(self):
        for output, lines in [("cannot connect", []), (self.SAID.format(1, 1), [["0", "-1", "5"]])]:
            with self.assertRaisesRegex(load.LoadError, output[:20]):
                load.read_fixed_rate(output, lines, seconds=1)

    def test_result_of_a_closed_loop_is_found_among_other_lines(self):
        line = 'result {"requests": 500, "duration_us": 2000000, "p50_us": 7}'
        expected = {"requests": 500, "rate": 250, "p50_us": 7}
        self.assertEqual(load.read_closed_loop("wrk", f"Running\n{line}\nDone\n"), expected)
        with self.assertRaisesRegex(load.LoadError, "(?s)wrk gave no result.*Running"):
            load.read_closed_loop("wrk", "Running\n")

    def test_messages_are_cut_wherever_they_arrive(self):
        first = (b"HTTP/1.1 202 Accepted\r\ncontent-Length:5\r\n", b"a\r\n\r\n")
        second = (b"HTTP/1.1 204 No Content\r\n", b"")
        received = b"".join(head + b"\r\n" + body for head, body in [first, second, first])
        for size in range(1, len(received) + 1):
            messages = delivery_latency.Messages()
            pieces = [received[at : at + size] for at in range(0, len(received), size)]
            found = [message for piece in pieces for message in messages.add(piece)]
            self.assertEqual(found, [first, second, first], size)

    def test_versions_are_those_of_upstream(self):
        lines = "redis-server 5:7.0.15-1~deb12u10\npython3-rq 1.13.0-1\nnative 2.5\n"
        lines += "dpkg-query: no packages found matching gunicorn\n"
        expected = [("redis-server", "7.0.15"), ("python3-rq", "1.13.0"), ("native", "2.5")]
        self.assertEqual(environment.read_versions(lines), expected)

    def test_realistic_headers_are_30_with_the_host(self):
        self.assertEqual(len(load.REALISTIC_HEADERS) + 1, 30)


class Reports(unittest.TestCase):
    def test_table_has_the_median_ratio_with_least_and_greatest(self):
        lines = report.text(load_scenario()).splitlines()
        self.assertRegex(lines[3], r"^  nginx +20\.0 +2\.00 \(1\.50 to 2\.00\) +20,000 +200 +2,000 +2\.0$")

    def test_notes_and_rounds_won_stand_below(self):
        self.assertEqual(
            report.text(load_scenario()).splitlines()[-2:],
            [
                "Only half as long.",
                "Of 3 rounds, pillion took less CPU than nginx in 3 and than haproxy in 1.",
            ],
        )

    def test_latency_at_a_fixed_rate_has_columns_if_it_was_measured(self):
        scenario = load_scenario(rate=5000)
        for each in scenario["contenders"].values():
            each["fixed_rate"] = [{"p50_us": 123, "p99_us": 456}]
        columns, rows = report.TABLES["load"](scenario)
        self.assertEqual((columns[6], rows[0][6:8]), ("p50 us at 5,000/s", ["123", "456"]))

    def test_idle_connections_cost_what_they_add(self):
        memory = {"before_kib": {"rss": 1024}, "after_kib": {"rss": 3072}, "connections": 1000}
        scenario = {"kind": "idle", "title": "Idle", "contenders": {"pillion": memory}, "notes": []}
        self.assertRegex(report.text(scenario), r"pillion +1\.0 +3\.0 +2\.05$")

    def test_durable_calls_are_compared_with_as_many_forwarded_ones(self):
        contenders = {
            f"{kind}, {connections}": {
                "kind": kind,
                "connections": connections,
                "closed_loop": closed_loop(cost),
            }
            for kind, connections, cost in [
                ("forward", 1, 10),
                ("async", 1, 5),
                ("forward", 64, 100),
                ("async", 64, 60),
            ]
        }
        scenario = {"kind": "durable", "title": "Durable", "contenders": contenders, "notes": []}
        _, rows = report.TABLES["durable"](scenario)
        self.assertEqual([row[2] for row in rows], ["1.00", "0.50", "1.00", "0.60"])

    def test_durable_figures_that_only_some_calls_have_are_left_out_of_the_others(self):
        each = {"cpu_us": 1, "rate": 10, "p50_us": 1, "p99_us": 1}
        contenders = {
            name: {"kind": name, "connections": 64, "closed_loop": [each | more]}
            for name, more in [("forward", {"waiting": 0}), ("redis", {}), ("async", DELIVERED)]
        }
        scenario = {"kind": "durable", "title": "", "contenders": contenders, "notes": []}
        columns, rows = report.TABLES["durable"](scenario)
        self.assertEqual(columns[-2:], ["not begun at the end", "delivered/s"])
        self.assertEqual([row[-2:] for row in rows], [["0", ""], ["", ""], ["7", "1,234"]])

    def test_targets_are_said_with_what_was_reached(self):
        latency = {
            "async": [{"accepted_p50_us": 400, "p50_us": 900, "p99_us": 2500}],
            "publish": [{"accepted_p50_us": 500, "p50_us": -10, "p99_us": 9000}],
        }
        scenario = {"kind": "durable", "title": "", "contenders": {}, "notes": ["A note"]}
        scenario["latency"] = {"rate": 100, "rounds": latency}
        scenario["targets"] = [
            {"target": "async", "value": 0.714, "unit": "x", "met": True},
            {"target": "publish", "value": 3.1, "unit": "ms", "met": False},
        ]
        self.assertEqual(
            report.remarks(scenario),
            [
                "A note.",
                "async at 100 calls/s: 202 after 400 us, delivered 900 us later (p99: 2,500 us).",
                "publish at 100 calls/s: 202 after 500 us, delivered -10 us later (p99: 9,000 us).",
                "Target async: 0.71 x, met.",
                "Target publish: 3.10 ms, not met.",
            ],
        )

    def test_policy_changes_are_counted_with_the_failed_calls(self):
        def result(p99, failed, **more):
            return {"requests": 1000, "failed": failed, "p50_us": 10, "p99_us": p99, **more}

        contenders = {
            "unchanged": {"fixed_rate": [result(100, 0), result(100, 0)]},
            "changed": {"fixed_rate": [result(150, 1, changes=3), result(250, 0, changes=2)]},
        }
        scenario = {"kind": "policy-change", "title": "", "contenders": contenders, "notes": []}
        _, rows = report.TABLES["policy-change"](scenario)
        self.assertEqual(rows[1], ["changed", "5", "2,000", "1", "10", "200", "2.00 (1.50 to 2.50)"])

    def test_a_busy_machine_is_mentioned(self):
        busy = results()
        busy["environment"]["load_average"] = 3.0
        self.assertIn("load average 3.0", "\n".join(report.preamble(busy)))
        self.assertNotIn("load average", "\n".join(report.preamble(results())))


DELIVERED = {"waiting": 7, "delivered_rate": 1234}


class Targets(unittest.TestCase):
    def of(self, latency_us=(900, 900), **rates):
        contenders = {
            f"{kind}, {connections}": {
                "kind": kind,
                "connections": connections,
                "closed_loop": [{"rate": rate} for rate in (each if connections == 64 else [1, 1, 1])],
            }
            for kind, each in rates.items()
            for connections in [1, 64]
        }
        latency = {
            kind: [{"p50_us": value}] for kind, value in zip(["async", "publish"], latency_us, strict=True)
        }
        found = targets.of_durable(contenders, latency)
        return {each["target"]: (round(each["value"], 3), each["met"]) for each in found}

    def test_are_taken_round_by_round_for_64_connections(self):
        found = self.of(
            forward=[100, 1000, 100],
            redis=[50, 50, 50],
            **{"async": [60, 500, 90], "publish": [59, 590, 59], "async-later": [70, 700, 70]},
        )
        self.assertEqual(
            {name: value for name, value in found.items() if "connections" in name},
            {
                "async of 64 connections, at least 0.60 x forward": (0.6, True),
                "async of 64 connections, at least 1.00 x redis": (1.8, True),
                "publish of 64 connections, at least 0.60 x forward": (0.59, False),
                "publish of 64 connections, at least 1.00 x redis": (1.18, True),
                "async-later of 64 connections, at least 0.60 x forward": (0.7, True),
                "async-later of 64 connections, at least 1.00 x redis": (1.4, True),
            },
        )

    def test_delivery_within_3_ms_is_in_time(self):
        found = self.of((3000, 3001), forward=[1], **{"async": [1], "publish": [1]})
        in_time = [value for name, value in found.items() if "delivered" in name]
        self.assertEqual(in_time, [(3.0, True), (3.001, False)])


class Publishing(unittest.TestCase):
    def test_section_is_added_and_then_replaced_and_the_rest_stays(self):
        first = publish.updated("# Title\n\nText.\n", results(forward=load_scenario()))
        edited = first + "\nWritten by hand.\n"
        second = publish.updated(edited, results(forward=load_scenario(title="Other")))
        self.assertTrue(second.startswith("# Title\n\nText.\n\n<!-- bench/run forward -->\n## Other\n"))
        self.assertTrue(second.endswith("\nWritten by hand.\n"))
        self.assertNotIn("Small calls", second)

    def test_table_is_markdown(self):
        lines = report.markdown(load_scenario()).splitlines()
        self.assertEqual(lines[1], "| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
        self.assertEqual({line.count("|") for line in lines[:6]}, {8})

    def test_document_and_chart_are_written(self):
        directory = pathlib.Path(os.environ["TEST_TMPDIR"])
        publish.publish(results(forward=load_scenario()), directory)
        self.assertIn("(performance.svg)", (directory / "performance.md").read_text(encoding="utf-8"))
        xml.parse(directory / "performance.svg")


class Chart(unittest.TestCase):
    def test_is_well_formed_and_shows_every_contender_of_every_load(self):
        root = xml.fromstring(plot.svg(results(a=load_scenario(), b=load_scenario())))
        texts = [text.text for text in root.iter(f"{SVG}text")]
        self.assertEqual(texts.count("Small calls & <more>"), 2)
        self.assertEqual(texts.count("haproxy"), 2)
        self.assertEqual(len(list(root.iter(f"{SVG}rect"))), 8)

    def test_stays_inside_its_frame(self):
        root = xml.fromstring(plot.svg(results(a=load_scenario())))
        width, height = float(root.get("width")), float(root.get("height"))
        for line in root.iter(f"{SVG}line"):
            self.assertLessEqual(float(line.get("x2")), width)
            self.assertLessEqual(float(line.get("y2")), height)

    def test_bars_are_as_long_as_the_ratio_says(self):
        root = xml.fromstring(plot.svg(results(a=load_scenario())))
        relay, nginx, *_ = (float(bar.get("width")) for bar in root.iter(f"{SVG}rect"))
        self.assertAlmostEqual(nginx / relay, 2.0, places=2)

    def test_without_loads_there_is_none(self):
        self.assertIsNone(plot.svg(results(a=load_scenario(baseline="pillion, 10 routes"))))


if __name__ == "__main__":
    unittest.main()
