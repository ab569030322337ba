"""Small cut: whether a graph of whole-number weights falls in two by a cut that is lighter than a bound.

Vertices are visited in maximum-adjacency order; an edge at whose scan the later vertex has already gathered the bound
joins two vertices that no lighter cut can separate, so these become one (Nagamochi and Ibaraki 1992, *Computing
edge-connectivity in multigraphs and capacitated graphs*, SIAM J. Discrete Math. 5). Where a visit joins nothing, the
last vertex of a part is itself cut off by less (Stoer and Wagner 1997, *A simple min-cut algorithm*).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

Edge = tuple[int, int, int]
"""Two vertices and the weight between them, above 0."""


def has_small_cut(edges: Iterable[Edge], least: int) -> bool:
    """Whether vertices that hang together can be parted by edges of total weight above 0 and below ``least``."""
    graph = _graph(edges)
    while graph:
        joined, last = _visit(graph, least)
        if not joined:
            return last
        graph = _graph(
            (joined.get(one, one), joined.get(other, other), weight)
            for one, near in graph.items()
            for other, weight in near.items()
            if one < other
        )
    return False


def _graph(edges: Iterable[Edge]) -> dict[int, dict[int, int]]:
    out: dict[int, dict[int, int]] = {}
    for one, other, weight in edges:
        if one != other:
            for start, end in ((one, other), (other, one)):
                near = out.setdefault(start, {})
                near[end] = near.get(end, 0) + weight
    return out


def _visit(graph: dict[int, dict[int, int]], least: int) -> tuple[dict[int, int], bool]:
    """One maximum-adjacency order: which vertices become one, by their first; whether the last of a part is cut off."""
    leader = {vertex: vertex for vertex in graph}

    def first(vertex: int) -> int:
        while leader[vertex] != vertex:
            leader[vertex] = leader[leader[vertex]]
            vertex = leader[vertex]
        return vertex

    gathered, visited, cut_off = dict.fromkeys(graph, 0), set[int](), False
    for start in graph:
        heap, last = [(0, start)], start
        while heap:
            _, vertex = heapq.heappop(heap)
            if vertex in visited:
                continue
            visited.add(vertex)
            last = vertex
            for near, weight in graph[vertex].items():
                if near not in visited:
                    gathered[near] += weight
                    heapq.heappush(heap, (-gathered[near], near))
                    if gathered[near] >= least:
                        leader[first(near)] = first(vertex)
        cut_off |= 0 < gathered[last] < least
    joined = {vertex: first(vertex) for vertex in graph}
    return {vertex: to for vertex, to in joined.items() if vertex != to}, cut_off
