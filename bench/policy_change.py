"""A large policy that is rewritten once a second while calls go through."""

import os
import re
import threading

import measure
import policies
from contenders import POLICY_IN_EFFECT

HOSTS = 1000
EVERY = 1.0  # seconds


class PolicyChange:
    """Calls at a fixed rate, with the policy as it is in one measurement and changing in the next."""

    title = f"A policy of {HOSTS:,} virtual hosts, all changed once a second"

    def __call__(self, bench):
        # Long enough for some changes in a round.
        seconds = max(bench.seconds, 3)
        with bench.starter() as starter:
            origin = starter.origin.port
            server = starter.start("pillion", policies.many_hosts(origin, HOSTS, version=0), bench.io)
            bench.progress("warm-up")
            rate = measure.RATE_SHARE * measure.closed_loop(server, 8, 1)["rate"]
            versions = iter(range(1, 1_000_000))

            def once(name):
                if name == "unchanged":
                    return measure.fixed_rate(server, seconds, rate)
                before = _times_in_effect(server)
                with Rewriting(server.policy, lambda: policies.many_hosts(origin, HOSTS, next(versions))):
                    result = measure.fixed_rate(server, seconds, rate)
                result["changes"] = _times_in_effect(server) - before
                return result

            rounds = bench.in_rounds(["unchanged", "changed"], once)
        notes = []
        if not all(result["changes"] for result in rounds["changed"]):
            notes.append("In some rounds no change took effect: their figures say nothing")
        return {
            "kind": "policy-change",
            "title": self.title,
            "rate": round(rate),
            "contenders": {name: {"fixed_rate": results} for name, results in rounds.items()},
            "notes": notes,
        }


def _times_in_effect(server):
    return len(re.findall(POLICY_IN_EFFECT, server.process.output()))


class Rewriting:
    """While it is entered, the file gets a new text every second, in one step."""

    def __init__(self, path, text):
        self._path = path
        self._text = text
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _run(self):
        # Made before, so that it does not compete for the processor at the time of the change.
        text = self._text()
        while not self._ended.wait(EVERY):
            new = self._path.with_name("new.txt")
            new.write_text(text, encoding="utf-8")
            os.replace(new, self._path)
            text = self._text()
