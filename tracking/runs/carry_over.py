"""What people wrote to a run: told from what the service wrote, and kept when a run is made anew."""

import json
import re
from collections.abc import Iterable

from tracking.mlflow import mapping as view
from tracking.mlflow.client import MAX_METRICS, Client, Run
from tracking.records.records import TrialRecord

NOTE = "mlflow.note.content"
_NAME = "mlflow.runName"
_OUR_FILES = (view.CONFIG, view.ERROR, view.CODE, view.WEIGHTS, view.LIKELIHOODS)
_ATTEMPT = re.compile(r"provenance/attempt-\d{4,}\.json")
_OUR_TAGS = ("sweeps.", "timing.", "mlflow.")


def carry_over(client: Client, old: Run, new_id: str, trial: TrialRecord, ours: Iterable[str]) -> None:
    """Give a run that was made anew the notes, tags, values and files that people added to the one before.

    Args:
        client: an open tracking store.
        old: the run before; it may be in the trash.
        new_id: the run that replaces it.
        trial: whose runs they are.
        ours: names of the metrics that the service writes.
    """
    tags = {name: text for name, text in old.tags.items() if not name.startswith(_OUR_TAGS)}
    if NOTE in old.tags:
        tags[NOTE] = old.tags[NOTE]
    if old.name != trial.plan.name:
        tags[_NAME] = old.name
    own = view.params(trial.config)
    params = {name: text for name, text in old.params.items() if name not in own}
    metrics = set(old.metrics) - set(ours)
    points = client.histories.of_many({old.id: metrics})[old.id] if metrics else []
    if tags or params:
        client.log(new_id, params=params, tags=tags)
    for first in range(0, len(points), MAX_METRICS):
        client.log(new_id, points[first : first + MAX_METRICS])
    known = set(client.artifacts.files(new_id))
    theirs = [
        path for path in client.artifacts.files(old.id) if path not in known and not _is_ours(path, old)
    ]
    if theirs:
        client.artifacts.upload(new_id, {path: client.artifacts.read(old.id, path) for path in theirs})


def _is_ours(path: str, run: Run) -> bool:
    """Whether the service wrote a file of a trial's run; people's own may be beside it."""
    figures = json.loads(run.tags.get(view.FIGURES) or "{}")
    return path in _OUR_FILES or path in figures or _ATTEMPT.fullmatch(path) is not None


def their_note(old: str | None, published: str | None, new: str) -> str:
    """A note with a new answer in it, that keeps what people wrote around the one that it replaces."""
    if not old or old == published:
        return new
    if published and published in old:
        return old.replace(published, new)
    return old if new in old else f"{new}\n\n{old}"
