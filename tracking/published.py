"""What was published of a sweep, as storage notes it: the report's files, the answer, the best model."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore

if TYPE_CHECKING:
    from tracking.mlflow.client import Run
    from tracking.mlflow.models import LoggedModels

REPORT = "report/index.html"
NOTE = "mlflow.note.content"
_NAME = "report/published.json"


def published(storage: SweepStorage) -> dict[str, Any]:
    """The note of what was published; empty before, and for sweeps from before that was noted."""
    return storage.read_json(_NAME) or {}


def note(storage: SweepStorage, files: Mapping[str, bytes], summary: str, model: Mapping[str, Any]) -> None:
    """Write down what was published.

    Args:
        storage: the sweep.
        files: the report's, by name.
        summary: the answer in words, as the parent's description holds it.
        model: as `model_of` gives it; empty without a best model.
    """
    storage.write_json(_NAME, {"files": _digests(files), "summary": summary, "model": dict(model)})


def model_of(store: RunStore, uri: str, trial_key: str) -> dict[str, Any]:
    """A logged model's address, whose it is, and the hashes of its files."""
    identity = uri.removeprefix("models:/")
    files = _models(store).artifacts
    content = {path: files.read(identity, path) for path in files.files(identity)}
    return {"uri": uri, "trial_key": trial_key, "files": _digests(content)}


def note_fault(storage: SweepStorage, attached: bool) -> str | None:
    """What is wrong with the note of what was published: without it nothing else can be compared.

    Args:
        storage: the sweep.
        attached: whether the parent run has a report.
    """
    if storage.instance is None or published(storage):
        return None  # a sweep from before that was noted has none
    if storage.files.stamp(storage.path(_NAME)) is not None:
        return f"storage: {_NAME} is torn or was altered"
    return f"storage: {_NAME} is missing" if attached else None


def publication_faults(storage: SweepStorage, store: RunStore, parent: "Run") -> Iterator[str]:
    """What of the report, the answer and the best model is not as it was published."""
    known = published(storage)
    if not known:
        attached = store.client.artifacts.read_if_there(parent.id, REPORT) is not None
        if (what := note_fault(storage, attached)) is not None:
            yield what
        return
    for name, digest in known.get("files", {}).items():
        path = storage.path("report", name)
        there = storage.files.stamp(path) is not None
        if not there or _digest(storage.files.read(path)) != digest:
            yield f"storage: report/{name} is not what was published"
        found = store.client.artifacts.read_if_there(parent.id, f"report/{name}")
        if found is None or _digest(found) != digest:
            yield f"MLflow: the artifact report/{name} of run {parent.id} is not what was published"
    if known["summary"] not in parent.tags.get(NOTE, ""):
        yield f"MLflow: the description of run {parent.id} does not hold the answer that was published"
    if model := known.get("model"):
        yield from _model_faults(store, storage.name, parent, model)


def forget_broken_models(storage: SweepStorage, store: RunStore) -> None:
    """Move a logged model whose files are not what was logged to the trash, so that it is logged anew.

    So is every one where nothing says any more what was logged.
    """
    known = published(storage)
    model = known.get("model") or {"uri": "", "files": {}}
    models = _models(store)
    for identity in models.find({"sweeps.name": storage.name}):
        is_noted = str(model["uri"]).removeprefix("models:/") == identity
        if not known or (is_noted and any(_file_faults(store, identity, model["files"]))):
            models.delete(identity)


def _model_faults(store: RunStore, name: str, parent: "Run", model: Mapping[str, Any]) -> Iterator[str]:
    tags = {
        "sweeps.best_model": model["uri"],
        "sweeps.best_run_id": store.trial_run_id(name, model["trial_key"]) or "",
    }
    for tag, text in tags.items():
        if parent.tags.get(tag) != text:
            yield f"MLflow: run {parent.id} has {tag} = {parent.tags.get(tag)}: must be {text}"
    identity = str(model["uri"]).removeprefix("models:/")
    if identity not in _models(store).find({"sweeps.name": name}):
        yield f"MLflow: the logged model {identity} is gone"
        return
    yield from _file_faults(store, identity, model["files"])


def _file_faults(store: RunStore, identity: str, files: Mapping[str, str]) -> Iterator[str]:
    artifacts = _models(store).artifacts
    there = set(artifacts.files(identity))
    for path, digest in files.items():
        if path not in there or _digest(artifacts.read(identity, path)) != digest:
            yield f"MLflow: {path} of the logged model {identity} is not what was logged"


def _models(store: RunStore) -> "LoggedModels":
    from tracking.mlflow.models import LoggedModels  # loads MLflow

    return LoggedModels(store.client)


def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: _digest(content) for name, content in files.items()}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
