"""docs/performance.md and docs/performance.svg from the results of a run.

Each scenario has a section between two comments. A run replaces the sections that it has figures for, and
leaves everything else as it is, so that what people write around them stays.
"""

import re

import plot
import report

BEGIN = "<!-- bench/run {name} -->"
END = "<!-- end of bench/run {name} -->"

NEW_DOCUMENT = """\
# Performance

Measured by [`bench/run`](../bench/README.md), which repeats all of this on your machine and says what the figures
mean. Only the ratios within a table do: absolute figures are those of one machine on one day.

![CPU time per call](performance.svg)
"""


def publish(results, directory):
    document = directory / "performance.md"
    before = document.read_text(encoding="utf-8") if document.exists() else NEW_DOCUMENT
    document.write_text(updated(before, results), encoding="utf-8")
    svg = plot.svg(results)
    if svg:
        (directory / "performance.svg").write_text(svg, encoding="utf-8")


def updated(document, results):
    """The document with the sections of these results."""
    for name, scenario in results["scenarios"].items():
        begin, end = BEGIN.format(name=name), END.format(name=name)
        section = f"{begin}\n{_section(name, scenario, results)}{end}\n"
        pattern = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}\n", re.DOTALL)
        if pattern.search(document):
            document = pattern.sub(lambda _: section, document)  # pylint: disable=cell-var-from-loop
        else:
            document = f"{document.rstrip()}\n\n{section}"
    return document


def _section(name, scenario, results):
    context = "  \n".join([f"`bench/run {name}`", *report.preamble(results)])
    return f"## {scenario['title']}\n\n{report.markdown(scenario)}\n{context}\n"
