"""bench/run: Pillion beside raw relays, nginx and haproxy. README.md says what the figures mean."""

import argparse
import json
import os
import pathlib
import signal
import sys
import tempfile

import publish
import report
from contenders import BASELINE, CONTENDERS
from environment import describe
from load import LoadError
from measure import Bench
from processes import StartError, allow_open_files
from scenarios import SCENARIOS

# For 10,000 connections through a relay.
OPEN_FILES = 24_000

DOCUMENTS = pathlib.Path(__file__).parent.parent / "docs"


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="bench/run",
        description="Measures Pillion beside raw relays, nginx and haproxy, in one run on this machine.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="scenarios:\n"
        + "".join(f"  {name:<22}{scenario.title}\n" for name, scenario in SCENARIOS.items())
        + f"\ncontenders:\n  {', '.join(CONTENDERS)}\n"
        + "\nbench/README.md says how it is measured and how to read the figures.",
    )
    parser.add_argument("scenarios", nargs="+", metavar="SCENARIO", help="of those below, or all")
    parser.add_argument("--rounds", type=int, default=6, metavar="N", help="of each contender (6)")
    parser.add_argument(
        "--seconds", type=int, default=3, metavar="S", help="of load in a measurement (3)"
    )
    parser.add_argument(
        "--contenders", metavar="A,B,...", help=f"only these, and {BASELINE} to compare with"
    )
    parser.add_argument(
        "--io",
        choices=["auto", "epoll", "io_uring"],
        default="auto",
        help="of the sidecar in scenarios without other contenders (auto: as it chooses)",
    )
    parser.add_argument("--json", metavar="FILE", type=pathlib.Path, help="write all figures there")
    parser.add_argument(
        "--publish",
        action="store_true",
        help="put the tables into docs/performance.md, and a chart of the loads of this run into docs/performance.svg",
    )
    parser.add_argument(
        "--bin-dir",
        metavar="DIR",
        type=pathlib.Path,
        help="take the programs from DIR, which is laid out like bazel-bin, and build nothing",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only say what is wrong with the command line"
    )
    options = parser.parse_args(arguments)
    if options.scenarios == ["all"]:
        options.scenarios = list(SCENARIOS)
    for name in options.scenarios:
        if name not in SCENARIOS:
            parser.error(f"no scenario '{name}'; there are {', '.join(SCENARIOS)}, and all")
    chosen = options.contenders.split(",") if options.contenders else CONTENDERS
    for name in chosen:
        if name not in CONTENDERS:
            parser.error(f"no contender '{name}'; there are {', '.join(CONTENDERS)}")
    options.contenders = [name for name in CONTENDERS if name in chosen or name == BASELINE]
    if options.rounds < 1 or options.seconds < 1:
        parser.error("--rounds and --seconds are at least 1")
    if options.json and not options.json.absolute().parent.is_dir():
        parser.error(f"--json: there is no directory {options.json.parent}")
    if options.bin_dir is None and not options.dry_run:
        parser.error("--bin-dir is missing; bench/run gives it")
    return options


class Progress:
    """What is being done, in a line that the next one replaces. Only on a terminal."""

    def __init__(self):
        self._shown = sys.stderr.isatty()

    def __call__(self, text=""):
        if self._shown:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()


def run(options, work):
    progress = Progress()
    bench = Bench(
        contenders=options.contenders,
        rounds=options.rounds,
        seconds=options.seconds,
        io=options.io.upper(),
        programs=options.bin_dir,
        work=work,
        open_files=allow_open_files(OPEN_FILES),
        progress=progress,
    )
    results = {
        "environment": describe(),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "scenarios": {},
    }
    print("\n".join(report.preamble(results)), flush=True)
    failed = []
    for name in options.scenarios:
        try:
            results["scenarios"][name] = SCENARIOS[name](bench)
        except (StartError, LoadError) as error:
            failed.append(name)
            progress()
            print(f"\n{name}: {error}", file=sys.stderr)
            continue
        progress()
        print("\n" + report.text(results["scenarios"][name]), flush=True)
        save(options, results)
    return results, failed


def save(options, results):
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def main(arguments):
    options = parse(arguments)
    if options.dry_run:
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # On a real disk, unlike /tmp perhaps: what is durable has to be.
    with tempfile.TemporaryDirectory(prefix="pillion-bench-", dir="/var/tmp") as work:
        results, failed = run(options, pathlib.Path(work))
    if options.publish and not failed:
        publish.publish(results, DOCUMENTS)
        print(f"\nwritten: {DOCUMENTS}/performance.md and performance.svg")
    if failed:
        print(f"\nbench/run: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        os._exit(130)
