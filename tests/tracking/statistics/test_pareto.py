from hypothesis import given
from hypothesis import strategies as st

from tracking.statistics.pareto import pareto_front

SMALL = st.integers(0, 6).map(float)  # few values, so that ties happen


@given(st.lists(st.tuples(SMALL, SMALL), max_size=15))
def test_front_is_what_brute_force_finds(points):
    def dominated(point):
        return any(o[0] <= point[0] and o[1] <= point[1] and o != point for o in points)

    assert set(pareto_front(points)) == {i for i, point in enumerate(points) if not dominated(point)}


@given(st.lists(st.tuples(SMALL, SMALL), max_size=15))
def test_front_rises_in_the_first_coordinate_and_falls_in_the_second(points):
    front = [points[index] for index in pareto_front(points)]
    assert front == sorted(front, key=lambda point: (point[0], -point[1]))
