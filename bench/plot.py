"""Draws the query times as an SVG: a row for each workload and size, a mark for each system, on a log scale."""

from __future__ import annotations

import math
from html import escape

from measurements import Measurements
from workloads import WORKLOADS

SHOWN = {
    "ours": "#d1495b",
    "expert": "#2e4057",
    "floor": "#9aa5b1",
    "polars": "#edae49",
    "pandas": "#66a182",
    "feast-duckdb": "#7b5ea7",
    "feast-file": "#b79ced",
}
WIDTH, LEFT, RIGHT, TOP, ROW = 860, 110, 30, 60, 26


def draw(measured: Measurements) -> str:
    """The plot, of the systems in ``SHOWN`` and the workloads that they have times for."""
    found = {
        (workload, size): {
            name: measured.median(workload, size, name)
            for name in SHOWN
            if measured.rounds(workload, size, name) and "query" in measured.rounds(workload, size, name)[0]["seconds"]
        }
        for workload in WORKLOADS
        for size in measured.sizes(workload)
    }
    found = {place: values for place, values in found.items() if values}
    if not found:
        return '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>\n'
    every = [value for values in found.values() for value in values.values()]
    low, high = math.floor(math.log10(min(every))), math.ceil(math.log10(max(every)))

    def across(value: float) -> float:
        return LEFT + (math.log10(value) - low) / max(high - low, 1) * (WIDTH - LEFT - RIGHT)

    height = TOP + ROW * len(found) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    for number, (name, colour) in enumerate(SHOWN.items()):
        here = LEFT + number * 105
        mark = f'<circle cx="{here}" cy="20" r="5" fill="{colour}"/>'
        parts.append(f'{mark}<text x="{here + 10}" y="24">{escape(name)}</text>')
    for power in range(low, high + 1):
        x = across(10.0**power)
        parts.append(f'<line x1="{x:.1f}" y1="{TOP - 12}" x2="{x:.1f}" y2="{height - 30}" stroke="#dddddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 12}" text-anchor="middle">{10.0**power:g} s</text>')
    for row, ((workload, size), values) in enumerate(found.items()):
        y = TOP + row * ROW + ROW / 2
        parts.append(f'<text x="{LEFT - 12}" y="{y + 4:.1f}" text-anchor="end">{escape(workload)} {size}</text>')
        ends = across(min(values.values())), across(max(values.values()))
        parts.append(f'<line x1="{ends[0]:.1f}" y1="{y:.1f}" x2="{ends[1]:.1f}" y2="{y:.1f}" stroke="#cccccc"/>')
        for name, value in values.items():
            parts.append(
                f'<circle cx="{across(value):.1f}" cy="{y:.1f}" r="5" fill="{SHOWN[name]}">'
                f"<title>{escape(name)} {value:.3f} s</title></circle>"
            )
    return "\n".join([*parts, "</svg>"]) + "\n"
