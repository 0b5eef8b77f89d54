"""Draws the lineage around one thing as SVG: what it is made from to the left, what reads it to the right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from asknown.site.nodes import Link

MOST = 40  # boxes in a drawing
_CHARACTER, _PADDING, _LONGEST = 7.3, 22, 30
_HEIGHT, _ROW, _GAP = 28, 42, 48
_SWEEPS = 8

Neighbours = Mapping[Link, Sequence[Link]]


@dataclass(frozen=True)
class Bend:
    """A point in the column ``place`` that an edge passes on its way to a later one."""

    start: Link
    end: Link
    place: int


Node = Link | Bend


@dataclass(frozen=True)
class Graph:
    """The things of a project: what each is made from, and what reads it."""

    below: Neighbours
    above: Neighbours


@dataclass(frozen=True)
class _Spot:
    """The box of a node. A bend has no width."""

    x: float
    y: float
    width: float

    @property
    def middle(self) -> float:
        return self.y + _HEIGHT / 2


def make_graph(edges: Sequence[tuple[Link, Link]]) -> Graph:
    """The graph of edges that lead from a thing to what reads it."""
    below: dict[Link, dict[Link, None]] = {}
    above: dict[Link, dict[Link, None]] = {}
    for source, reader in edges:
        below.setdefault(reader, {})[source] = None
        above.setdefault(source, {})[reader] = None
    return Graph({k: list(v) for k, v in below.items()}, {k: list(v) for k, v in above.items()})


def draw_lineage(graph: Graph, centre: Link) -> str:
    """The lineage around ``centre`` as SVG, with a link in each box.

    It shows the nearest 40 things, and counts the others. It is empty if there is at most one: the facts name that.
    """
    ups, more_up = _reach(centre, graph.below)
    downs, more_down = _reach(centre, graph.above)
    if len(ups) + len(downs) <= 3:
        return ""
    depth = {node: -distance for node, distance in _longest(ups, graph.below, centre).items()}
    depth |= _longest(downs, graph.above, centre)
    columns: dict[int, list[Node]] = {place: [] for place in range(min(depth.values()), max(depth.values()) + 1)}
    for node in sorted(depth, key=lambda node: (depth[node], node.kind, node.name)):
        columns[depth[node]].append(node)
    paths: list[list[Node]] = []
    for end in depth:
        for start in graph.below.get(end, ()):
            if start in depth and depth[start] < depth[end]:
                bends = [Bend(start, end, place) for place in range(depth[start] + 1, depth[end])]
                for bend in bends:
                    columns[bend.place].append(bend)
                paths.append([start, *bends, end])
    laid = list(columns.values())
    _order(laid, [pair for path in paths for pair in pairwise(path)])
    return _write(laid, paths, centre, more_up, more_down)


def _reach(centre: Link, neighbours: Neighbours) -> tuple[list[Link], int]:
    """The things that ``neighbours`` lead to, nearest first, at most half of a drawing; and how many are left out."""
    found = {centre: None}
    waiting = [centre]
    while waiting:
        following = [one for node in waiting for one in neighbours.get(node, ()) if one not in found]
        waiting = list(dict.fromkeys(following))
        found |= dict.fromkeys(waiting)
    return list(found)[: MOST // 2], max(0, len(found) - MOST // 2)


def _longest(nodes: Sequence[Link], neighbours: Neighbours, centre: Link) -> dict[Link, int]:
    """The length of the longest path from the centre to each thing. (A circle, which is an error, ends it.)"""
    depth = dict.fromkeys(nodes, 0)
    for _ in nodes:
        moved = False
        for node in nodes:
            for one in neighbours.get(node, ()):
                if one in depth and one != centre and depth[one] < depth[node] + 1:
                    depth[one] = depth[node] + 1
                    moved = True
        if not moved:
            break
    return depth


def _order(columns: list[list[Node]], edges: Sequence[tuple[Node, Node]]) -> None:
    """Orders each column by the mean place of the neighbours in the column before, sweeping to and fro."""
    left: dict[Node, list[Node]] = {}
    right: dict[Node, list[Node]] = {}
    for a, b in edges:
        left.setdefault(b, []).append(a)
        right.setdefault(a, []).append(b)
    places = {node: place - len(column) / 2 for column in columns for place, node in enumerate(column)}
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            column.sort(key=_mean_of(left if sweep % 2 == 0 else right, places))
            places |= {node: place - len(column) / 2 for place, node in enumerate(column)}


def _mean_of(near: Mapping[Node, Sequence[Node]], places: Mapping[Node, float]) -> Callable[[Node], float]:
    def mean(node: Node) -> float:
        found = [places[one] for one in near.get(node, ())]
        return sum(found) / len(found) if found else places[node]

    return mean


def _write(
    columns: Sequence[Sequence[Node]], paths: Sequence[Sequence[Node]], centre: Link, more_up: int, more_down: int
) -> str:
    spots, total, height = _spots(columns)
    lines = [_curve([spots[node] for node in path], near=centre in path) for path in paths]
    boxes = [_box(node, spots[node], here=node == centre) for node in spots if isinstance(node, Link)]
    notes = [
        f'<text class="more" x="{at:.0f}" y="{height + 16:.0f}" text-anchor="{anchor}">+{count} more</text>'
        for count, at, anchor in ((more_up, 1, "start"), (more_down, total, "end"))
        if count
    ]
    height += 22 if notes else 0
    others = ", ".join(node.name for node in spots if isinstance(node, Link) and node != centre)
    label = escape(f"Lineage of {centre.name}, with {others}", quote=True)
    return (
        f'<svg class="lineage" role="group" aria-label="{label}" width="{total:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {total:.0f} {height:.0f}">{"".join(lines)}{"".join(boxes)}{"".join(notes)}</svg>'
    )


def _spots(columns: Sequence[Sequence[Node]]) -> tuple[dict[Node, _Spot], float, float]:
    """(the box of each node, the width of the drawing, its height)."""
    tallest = max(map(len, columns))
    spots: dict[Node, _Spot] = {}
    x = 2.0
    for column in columns:
        width = max(len(_shown(node)) * _CHARACTER + _PADDING for node in column if isinstance(node, Link))
        top = (tallest - len(column)) * _ROW / 2 + 2
        for place, node in enumerate(column):
            spots[node] = _Spot(x, top + place * _ROW, width)
        x += width + _GAP
    return spots, x - _GAP + 2, tallest * _ROW - (_ROW - _HEIGHT) + 4


def _shown(node: Link) -> str:
    return node.name if len(node.name) <= _LONGEST else node.name[: _LONGEST - 1] + "…"


def _curve(path: Sequence[_Spot], *, near: bool) -> str:
    """A line from box to box: curved between the columns, straight where it passes one."""
    drawn = ""
    for start, end in pairwise(path):
        (x, y), (to_x, to_y) = (start.x + start.width, start.middle), (end.x, end.middle)
        half = (x + to_x) / 2
        drawn += f"{'L' if drawn else 'M'}{x:.0f} {y:.0f}"
        drawn += f"C{half:.0f} {y:.0f} {half:.0f} {to_y:.0f} {to_x:.0f} {to_y:.0f}"
    marked = ' class="near"' if near else ""
    return f'<path{marked} d="{drawn}"/>'


def _box(node: Link, spot: _Spot, *, here: bool) -> str:
    title = "" if _shown(node) == node.name else f"<title>{escape(node.name)}</title>"
    inside = (
        f'{title}<rect x="{spot.x:.0f}" y="{spot.y:.0f}" width="{spot.width:.0f}" height="{_HEIGHT}" rx="5"/>'
        f'<text x="{spot.x + spot.width / 2:.0f}" y="{spot.middle + 4:.0f}">{escape(_shown(node))}</text>'
    )
    if here:
        return f'<g class="box {node.kind} here">{inside}</g>'
    return f'<a class="box {node.kind}" href="#{node.anchor}">{inside}</a>'
