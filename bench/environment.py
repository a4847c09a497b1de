"""The machine and the programs of a run, for its report."""

import datetime
import os
import pathlib
import platform
import re
import subprocess


def _output(*command):
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def _version(pattern, *command):
    found = re.search(pattern, _output(*command))
    return found[1] if found else "unknown"


def package_versions(packages):
    """[(name, upstream's version)] of those of Debian's packages that are installed."""
    return read_versions(_output("dpkg-query", "-W", "-f", "${Package} ${Version}\n", *packages))


def read_versions(lines):
    """The same from dpkg-query's lines: without Debian's epoch and revision, and without what it has to complain."""
    return re.findall(r"^([\w.-]+) (?:\d+:)?([\w.+~]+)(?:-\S*)?$", lines, re.MULTILINE)


def _processor():
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def describe():
    root = pathlib.Path(__file__).parent.parent
    return {
        "date": datetime.date.today().isoformat(),
        "commit": _version(r"^([\w.-]+)$", "git", "-C", root, "describe", "--always", "--dirty"),
        "kernel": platform.release(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg()[0],
        "nginx": _version(r"nginx/([0-9.]+)", "nginx", "-v"),
        "haproxy": _version(r"version ([0-9.]+)", "haproxy", "-v"),
        "wrk": _version(r"wrk (?:debian/)?([0-9.]+)", "wrk", "-v"),
        "h2load": _version(r"nghttp2/([0-9.]+)", "h2load", "--version"),
    }
