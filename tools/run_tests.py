"""Runs `bazel test` for one or more builds and counts test cases; tools/test --help says how they count.

Bazel counts targets. The cases are read from each target's test.xml, which Bazel names in its build event
stream: https://bazel.build/remote/bep.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.parse
import xml.etree.ElementTree

BAZEL = "/usr/bin/bazel"
SANITIZERS = ["asan", "tsan"]


class Tally:
    """Cases that passed, and a line for each that did not."""

    def __init__(self):
        self.passed = 0
        self.failures = []

    def fail(self, target, what):
        self.failures.append(f"{target}: {what}")

    def add(self, other):
        self.passed += other.passed
        self.failures += other.failures


def count_cases(target, status, test_xml, tally):
    """Adds the cases of one run of a target, whose status by Bazel is PASSED, FAILED, TIMEOUT, ..."""
    failures_before = len(tally.failures)
    cases = 0
    try:
        root = xml.etree.ElementTree.parse(test_xml).getroot() if test_xml else []
    except (OSError, xml.etree.ElementTree.ParseError) as error:
        tally.fail(target, f"its test.xml cannot be read: {error}")
        return
    for case in root.iter("testcase") if test_xml else []:
        if case.get("status") == "notrun":
            continue  # DISABLED_, or not chosen by --test_filter.
        cases += 1
        suite = case.get("classname") or ""
        name = f"{suite}.{case.get('name')}" if suite else case.get("name")
        if case.find("failure") is not None or case.find("error") is not None:
            # Bazel's own test.xml, of a test that wrote none, has one case with the target's name.
            whole_target = name == target.lstrip("/").replace(":", "/")
            tally.fail(target, f"{status}, see its test.log" if whole_target else name)
        elif case.find("skipped") is not None or case.get("result") == "skipped":
            tally.fail(target, f"{name} (skipped)")
        else:
            tally.passed += 1
    if status != "PASSED":
        if len(tally.failures) == failures_before:
            tally.fail(target, f"{status}, though no case failed; see its test.log")
    elif cases == 0:
        tally.fail(target, "ran no test case")


def file_of(uri):
    return urllib.parse.unquote(urllib.parse.urlparse(uri).path)


def read_events(path):
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            try:
                yield json.loads(line)
            except ValueError:
                return  # Bazel was killed while it wrote the line.


def tally_events(path):
    """The Tally of one `bazel test`, from its build events."""
    tally = Tally()
    runs = {}  # (target, run, shard) -> result of the last attempt
    for event in read_events(path):
        ident = event["id"]
        if "testResult" in ident and "testResult" in event:
            key = ident["testResult"]
            runs[key["label"], key.get("run", 1), key.get("shard", 1)] = event["testResult"]
        elif "targetCompleted" in ident and not event.get("completed", {}).get("success", False):
            tally.fail(ident["targetCompleted"]["label"], "failed to build")
        elif "pattern" in ident and "aborted" in event:
            patterns = " ".join(ident["pattern"]["pattern"])
            tally.fail(patterns, event["aborted"].get("description", "failed to load"))
        elif "unconfiguredLabel" in ident and "aborted" in event:
            tally.fail(ident["unconfiguredLabel"]["label"], "failed to load")
    for (target, run, shard), result in sorted(runs.items()):
        files = {f["name"]: file_of(f["uri"]) for f in result.get("testActionOutput", []) if "uri" in f}
        count_cases(target, result.get("status", "NO_STATUS"), files.get("test.xml"), tally)
    return tally


def run_build(config, targets, options):
    """Tests one build, configured by .bazelrc's CONFIG ("" for the plain one)."""
    command = [BAZEL, "test", "--keep_going"]
    if config:
        # Programs that no test uses gain nothing from a sanitizer.
        command += [f"--config={config}", "--build_tests_only"]
    with tempfile.TemporaryDirectory(prefix="pillion-test-") as scratch:
        events = os.path.join(scratch, "events.json")
        command += [f"--build_event_json_file={events}", *options, "--", *targets]
        print(f"tools/test: {' '.join(command)}", flush=True)
        status = subprocess.call(command)
        tally = tally_events(events) if os.path.exists(events) else Tally()
    if status != 0 and not tally.failures:
        tally.fail(" ".join(targets), f"bazel ended with exit status {status}, see above")
    if config:
        tally.failures = [f"{failure} [{config}]" for failure in tally.failures]
    return tally


def main(arguments):
    options = []
    if "--" in arguments:
        cut = arguments.index("--")
        arguments, options = arguments[:cut], arguments[cut + 1:]
    configs = [""]
    targets = []
    for argument in arguments:
        if argument == "--sanitizers":
            configs = ["", *SANITIZERS]
        elif argument.startswith("--"):
            sys.exit(f"tools/test: unknown option {argument}; try --help")
        else:
            targets.append(argument)

    total = Tally()
    for config in configs:
        total.add(run_build(config, targets or ["//..."], options))
    print()
    for failure in total.failures:
        print(f"FAILED {failure}")
    print(f"{total.passed} passed, {len(total.failures)} failed", flush=True)
    return 0 if total.passed > 0 and not total.failures else 1


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
