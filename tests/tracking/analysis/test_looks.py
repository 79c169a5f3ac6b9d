from dataclasses import replace

import pytest

from tracking.analysis.analysis import analyse
from tracking.analysis.configurations import looks_of, tables
from tracking.records.shapes import SessionEntry
from tracking.report.words.caveats import caveats


def session(ended, outcome="finished"):
    outcome = None if ended is None else outcome
    return SessionEntry(started=0.0, heartbeat=0.0, ended=ended, outcome=outcome, hostname="node-a", pid=1)


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


def test_a_second_look_is_said_and_widens_the_intervals(make):
    first = make.sweep(make.ks(1, 50), seeds=(0, 1))
    more = [make.trial(overrides, 2) for overrides in make.ks(1, 50)]
    trials = [replace(trial, ended=10.0) for trial in first.trials] + [replace(t, ended=20.0) for t in more]
    once = make.record(trials)
    twice = replace(once, sessions=(session(15.0), session(30.0)))
    (one,), (two,) = ([analyse(table) for table in tables(record)] for record in (once, twice))
    assert two.gains[0].validation.half > one.gains[0].validation.half
    assert not any("this is look" in sentence for sentence in caveats(once, [one]))
    assert any("this is look 2 at these comparisons" in sentence for sentence in caveats(twice, [two]))
