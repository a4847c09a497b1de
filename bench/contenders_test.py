#!/usr/bin/python3
"""The sidecar takes every policy of the benchmark, and does with calls what each scenario is about."""

import contextlib
import http.client
import os
import pathlib
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path("bench").absolute()))

import contenders  # noqa: E402
import delivery_latency  # noqa: E402
import durable  # noqa: E402
import load  # noqa: E402
import policies  # noqa: E402
import policy_change  # noqa: E402

CHANGED = 2  # the first policy and one change of it


class Sidecars(unittest.TestCase):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        scratch = stack.enter_context(tempfile.TemporaryDirectory(dir=os.environ["TEST_TMPDIR"]))
        self.starter = contenders.Starter(pathlib.Path().absolute(), scratch, stack)
        self.origin = self.starter.origin.port

    def status(self, server, path, method="GET", body=None):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        self.addCleanup(connection.close)
        connection.request(method, path, body=body)
        return connection.getresponse().status

    def test_forwards_everything_by_itself(self):
        server = self.starter.start("pillion")
        self.assertEqual(self.status(server, "/bytes/100000"), 200)
        self.assertGreater(server.process.cpu_ns(), 0)
        self.assertGreater(server.process.memory_kib()["rss"], 1000)

    def test_many_routes_are_for_the_path_that_is_called(self):
        server = self.starter.start("pillion", policies.many_routes(self.origin, 100))
        self.assertEqual(self.status(server, policies.PATH_OF_LAST_ROUTE), 200)
        self.assertEqual(self.status(server, "/api/service99/"), 200)
        self.assertEqual(self.status(server, "/api/service100/"), 404)

    def test_durable_calls_are_accepted(self):
        server = self.starter.start("pillion", policies.durable(self.origin))
        for kind, status in [("forward", 200), ("async", 202), ("publish", 202)]:
            self.assertEqual(self.status(server, f"/{kind}", "POST", b"x"), status, kind)
        self.assertEqual(durable.wait_for_deliveries(server), 2)
        self.assertEqual(durable.deliveries(server), {"pending": 0, "accepted": 2, "succeeded": 2})

    def test_what_is_delivered_later_waits(self):
        server = self.starter.start("pillion", policies.durable(self.origin))
        self.assertEqual(self.status(server, "/async-later", "POST", b"x"), 202)
        self.assertEqual(self.status(server, "/async", "POST", b"x"), 202)
        while durable.deliveries(server)["succeeded"] == 0:
            time.sleep(0.01)
        self.assertEqual(durable.deliveries(server), {"pending": 1, "accepted": 2, "succeeded": 1})

    def test_every_accepted_call_is_seen_by_the_subscriber(self):
        with delivery_latency.Subscriber() as subscriber:
            server = self.starter.start("pillion", policies.durable(subscriber.port))
            for kind in ["async", "publish", "async"]:
                took = subscriber.measure(server.port, f"/{kind}", 10)
                self.assertEqual(len(took), 10)
                for accepted, delivered in took:
                    self.assertGreater(accepted, 0)
                    self.assertGreater(accepted + delivered, 0)
            with self.assertRaisesRegex(load.LoadError, "HTTP/1.1 204 .* instead of 202"):
                subscriber.measure(server.port, "/forward", 1)

    def test_policy_takes_effect_while_it_is_rewritten(self):
        def next_policy():
            return policies.many_hosts(self.origin, 20, version=next(versions))

        versions = iter(range(1, 1000))
        server = self.starter.start("pillion", policies.many_hosts(self.origin, 20, version=0))
        with policy_change.Rewriting(server.policy, next_policy):
            server.process.wait_for(contenders.POLICY_IN_EFFECT, CHANGED)
            self.assertEqual(self.status(server, "/"), 200)

    def test_idle_callers_have_an_answer_each(self):
        server = self.starter.start("pillion")
        with load.idle_callers(server.port, 50):
            self.assertEqual(self.status(server, "/"), 200)


if __name__ == "__main__":
    unittest.main()
