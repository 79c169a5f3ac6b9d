import pytest

from tracking.report.looks import looks_of
from tracking.report.tables import tables


def session(ended, outcome="finished"):
    return {"started": 0.0, "ended": ended, "outcome": outcome}


@pytest.mark.parametrize(
    ("sessions", "looks"),
    [
        ([session(30.0)], 1),  # everything was done before the only look
        ([session(15.0), session(30.0)], 2),  # seed 1 was added after the first
        ([session(15.0, "budget"), session(30.0)], 1),  # stopped by its budget, not by what was seen
        ([session(None), session(30.0)], 1),
        ([session(5.0), session(30.0)], 1),  # nothing was there to look at
    ],
)
def test_looks_are_counted_by_the_seeds_that_came_after(make, sessions, looks):
    trials = [make.trial({}, seed) for seed in (0, 1)]
    for trial, ended in zip(trials, (10.0, 20.0), strict=True):
        object.__setattr__(trial, "ended", ended)
    record = make.record(trials)
    object.__setattr__(record, "sessions", tuple(sessions))
    assert (looks_of(record), tables(record)[0].looks) == (looks, looks)
