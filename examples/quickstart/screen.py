"""What the quickstart shows: steps, policy edits, calls with their answers, and what was checked."""

import json
import sys
import textwrap

WIDTH = 100
COLOURS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "cyan": "36"}


def paint(colour, text):
    return f"\033[{COLOURS[colour]}m{text}\033[0m" if sys.stdout.isatty() else text


def line(text=""):
    print(text, flush=True)


def step(title):
    line()
    line(paint("bold", f"== {title} {'=' * max(3, WIDTH - len(title) - 4)}"))


def say(text):
    line(textwrap.fill(" ".join(text.split()), WIDTH))


def edit(path, changes):
    line(f"  edit {path}")
    for change in changes:
        line("    " + paint("red" if change[0] == "-" else "green", change))


def command(text):
    line("  " + paint("cyan", f"$ {text}"))


def output(text):
    for each in text.rstrip("\n").splitlines():
        line(f"    {each}")


def compact(value):
    """JSON on one line, or on several where one would be too long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= WIDTH - 6 else json.dumps(value, ensure_ascii=False, indent=2)


def answer(response, *headers, after=True):
    """A real answer: status, the given headers, body; and how long it took."""
    took = f"   after {response.elapsed.total_seconds() * 1000:.0f} ms" if after else ""
    line(
        "    "
        + paint("bold", f"HTTP {response.status_code} {response.reason}")
        + paint("dim", took)
    )
    for name in headers:
        if name in response.headers:
            line(f"    {name}: {response.headers[name]}")
    try:
        output(compact(response.json()))
    except ValueError:
        output(response.text)


class StepFailed(Exception):
    """A step did not do what it should."""


def check(what, holds):
    if not holds:
        raise StepFailed(what)
    line("  " + paint("green", "ok") + f"  {what}")
