"""The chart: CPU time per call of each contender as a ratio to the raw epoll relay, with its spread."""

import xml.etree.ElementTree as xml

import report
from stats import spread

WIDTH = 760
NAME_WIDTH = 130
VALUE_WIDTH = 60
BAR = 18
GAP = 7
TITLE = 34
MARGIN = 16

# Legible on white and on black: documents are read on both.
TEXT = "#6e7781"
FAINT = "#8c959f"
OURS = "#2f81f7"
PEERS = "#9a8a6a"
CONTROLS = "#8c959f"


def svg(results):
    """The text of an SVG file, or none if no scenario has such ratios."""
    panels = [
        scenario
        for scenario in results["scenarios"].values()
        if scenario["kind"] == "load" and scenario["baseline"] in ["relay-epoll"]
    ]
    if not panels:
        return None
    height = MARGIN + sum(_height(panel) for panel in panels) + 2 * MARGIN
    root = xml.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "width": str(WIDTH),
            "height": str(height),
            "viewBox": f"0 0 {WIDTH} {height}",
            "font-family": "sans-serif",
            "font-size": "13",
            "role": "img",
        },
    )
    xml.SubElement(root, "title").text = "CPU time per call, as a ratio to a raw epoll relay"
    top = MARGIN
    for panel in panels:
        _panel(root, panel, top)
        top += _height(panel)
    machine = results["environment"]
    foot = (
        f"CPU time per call; raw epoll relay = 1; less is better. Bar: median of {results['rounds']} rounds, "
        f"line: least to greatest. {machine['date']}, Pillion {machine['commit']}"
    )
    _text(root, MARGIN, top + MARGIN, foot, FAINT, size=11)
    xml.indent(root)
    return xml.tostring(root, encoding="unicode") + "\n"


def _height(panel):
    return TITLE + len(panel["contenders"]) * (BAR + GAP) + MARGIN


def _panel(root, panel, top):
    values = {name: spread(report.cpu_ratios(panel, name)) for name in panel["contenders"]}
    left = MARGIN + NAME_WIDTH
    scale = (WIDTH - left - VALUE_WIDTH - MARGIN) / max(greatest for _, _, greatest in values.values())
    _text(root, MARGIN, top + 18, panel["title"], TEXT, weight="bold")
    bars = top + TITLE
    end = bars + len(values) * (BAR + GAP) - GAP
    _line(root, left + scale, bars - 4, left + scale, end + 4, dash="3 3")
    for number, (name, (middle, least, greatest)) in enumerate(values.items()):
        y = bars + number * (BAR + GAP)
        centre = y + BAR / 2
        _text(root, left - 8, centre + 4.5, name, TEXT, anchor="end")
        rectangle = {"x": left, "y": y, "width": f"{middle * scale:.1f}", "height": BAR, "rx": 2}
        xml.SubElement(root, "rect", {**_strings(rectangle), "fill": _colour(name)})
        _line(root, left + least * scale, centre, left + greatest * scale, centre)
        _text(root, left + greatest * scale + 8, centre + 4.5, f"{middle:.2f}", TEXT)


def _colour(name):
    if name.startswith("pillion"):
        return OURS
    return CONTROLS if name == "origin" or name.startswith("relay") else PEERS


def _strings(attributes):
    return {name: str(value) for name, value in attributes.items()}


def _text(root, x, y, text, fill, anchor="start", size=13, weight="normal"):
    attributes = {"x": x, "y": y, "fill": fill, "text-anchor": anchor, "font-size": size, "font-weight": weight}
    xml.SubElement(root, "text", _strings(attributes)).text = text


def _line(root, x1, y1, x2, y2, dash="none"):
    attributes = {"x1": f"{x1:.1f}", "y1": y1, "x2": f"{x2:.1f}", "y2": y2, "stroke": TEXT, "stroke-width": 1.5}
    xml.SubElement(root, "line", {**_strings(attributes), "stroke-dasharray": dash})
