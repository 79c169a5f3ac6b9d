"""The Pareto front: what no other configuration beats in both."""

from collections.abc import Sequence


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the points that no other point dominates, by ascending first coordinate; smaller is better.

    A point dominates another if it is not larger in either coordinate and smaller in one. Equal points stay
    together.
    """
    front: list[int] = []
    lowest = float("inf")
    for index in sorted(range(len(points)), key=points.__getitem__):
        second = points[index][1]
        if second < lowest or (front and points[index] == points[front[-1]]):
            front.append(index)
            lowest = second
    return front
