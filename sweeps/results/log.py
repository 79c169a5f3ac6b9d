"""What happened in a sweep or in one of its trials, line by line, from what storage holds of it."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from sweeps.results.trials import trial_of
from tracking.records.comparable.score import score_of
from tracking.records.records import SweepRecord, TrialRecord, TrialState
from tracking.storage.sessions import live_session
from tracking.storage.sweep import SweepStorage

LOOK_SECONDS = 1.0


class Line(NamedTuple):
    """Something that happened: when, in seconds since 1970, and what; a traceback has more lines."""

    time: float
    text: str

    def __str__(self) -> str:
        return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(self.time))}  {self.text}"


def sweep_lines(record: SweepRecord) -> list[Line]:
    """Its drivers and the begin and end of every trial, by time."""
    lines = []
    for number, session in enumerate(record.sessions, start=1):
        what = f": {session.command}" if session.command else ""
        lines.append(
            Line(session.started, f"driver {number} on {session.hostname}, process {session.pid}{what}")
        )
        if session.ended is not None:
            lines.append(Line(session.ended, f"driver {number} ended: {session.outcome or 'unknown'}"))
    for trial in record.trials:
        lines += [Line(at, f"{trial.plan.name}: {text}") for at, text in _attempts(trial)]
        if (end := _end(trial)) is not None:
            lines.append(Line(end.time, f"{trial.plan.name}: {end.text.partition(chr(10))[0]}"))
    return sorted(lines)


def trial_lines(trial: TrialRecord) -> list[Line]:
    """Its attempts, every epoch, and how it ended, with the traceback where it failed."""
    epochs = [Line(epoch.time, _epoch(trial, epoch.epoch, epoch.metrics)) for epoch in trial.history]
    end = _end(trial)
    return [*sorted([*_attempts(trial), *epochs]), *([] if end is None else [end])]


def write_log(storage: SweepStorage, key: str | None, write: Callable[[str], None], *, follow: bool) -> None:
    """Write what happened, and what happens from now on.

    Args:
        storage: the sweep.
        key: of a trial, its beginning or its name; None takes the whole sweep.
        write: takes each line once.
        follow: go on until the trial, or the driver, has ended.

    Raises:
        RecordError: there is no such sweep or trial.
    """
    told: set[Line] = set()
    while True:
        live = live_session(storage) is not None  # before what it wrote last is read
        record = storage.record()
        trial = None if key is None else trial_of(record, key)
        for line in sweep_lines(record) if trial is None else trial_lines(trial):
            if line not in told:
                told.add(line)
                write(f"{line}\n")
        if not follow or not live or (trial is not None and trial.state.ended):
            return
        time.sleep(max(LOOK_SECONDS, storage.files.poll_seconds))


def _attempts(trial: TrialRecord) -> Iterator[Line]:
    for number, attempt in enumerate(trial.attempts, start=1):
        if attempt is not None:
            where = f" on {attempt.hostname}, process {attempt.pid}" if attempt.hostname else ""
            after = f", from epoch {attempt.from_epoch}" if attempt.from_epoch else ""
            yield Line(attempt.started, f"attempt {number}{where}{after}")


def _epoch(trial: TrialRecord, number: int, metrics: Mapping[str, float]) -> str:
    text = f"epoch {number} of {trial.config.num_epochs}"
    if "train/bound" in metrics:
        text += f": bound {metrics['train/bound']:.3f}"
    score = score_of(trial.config)
    if score.curve in metrics:
        text += f", val {score.name} {score.precise(metrics[score.curve])} {score.unit}".rstrip()
    if "time/train_seconds" in metrics:
        text += f", {metrics['time/train_seconds']:.1f} s of training"
    return text


def _end(trial: TrialRecord) -> Line | None:
    if trial.ended is None:
        return None
    text = trial.state.value
    if trial.state is TrialState.COMPLETE and trial.final is not None:
        score = score_of(trial.config)
        value = f"{score.precise(trial.final[score.final])} {score.unit}".rstrip()
        text += f": final val {score.name} {value}, {trial.train_seconds:.1f} s of training"
    elif trial.error:
        text += f": {trial.error.rstrip()}"
    return Line(trial.ended, text)
