"""The best configuration's model as an MLflow model: one a sweep, replaced when the best changes."""

import hashlib
import importlib.metadata
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import iwae
from tracking.errors import RecordError
from tracking.mlflow.client import Client
from tracking.mlflow.models import LoggedModels
from tracking.records.records import SweepRecord, TrialRecord
from tracking.storage.sweep import SweepStorage

_REQUIREMENTS = (
    "lazy-loader",
    "numpy",
    "pydantic",
    "pyyaml",
    "safetensors",
    "scikit-learn",
    "torch",
    "torchvision",
)
_LOADER = "iwae.serving"
# What turns images into numbers: where these files change, the model is logged again.
_SERVES = ("serving.py", "trained.py", "inputs.py")
_WEIGHTS, _SERVED = "sweeps.weights_sha256", "sweeps.served_sha256"


def log_model(
    client: Client,
    run_id: str,
    parent_id: str,
    storage: SweepStorage,
    record: SweepRecord,
    trial: TrialRecord,
) -> str:
    """Log a complete trial's model, unless it is the sweep's logged model already.

    Returns:
        Its address, for ``mlflow.pyfunc.load_model``.

    Raises:
        RecordError: storage has no weights of the trial.
    """
    unit = storage.trial(trial.key).newest()
    if unit is None or unit.weights is None:
        raise RecordError(f"{record.name}: storage has no weights of {trial.plan.name}")
    package = Path(iwae.__file__).parent
    served = b"".join((package / name).read_bytes() for name in _SERVES)
    digests = {
        _WEIGHTS: hashlib.sha256(unit.weights).hexdigest(),
        _SERVED: hashlib.sha256(served).hexdigest(),
    }
    models = LoggedModels(client)
    known = models.find({"sweeps.name": record.name})
    same = [model for model, tags in known.items() if digests.items() <= tags.items()]
    kept = same[0] if same else _log(client, run_id, record, trial, unit.weights, digests)
    for model in known:
        if model != kept:
            models.delete(model)
    uri = f"models:/{kept}"
    client.log(parent_id, tags={"sweeps.best_model": uri, "sweeps.best_run_id": run_id})
    return uri


def _log(
    client: Client,
    run_id: str,
    record: SweepRecord,
    trial: TrialRecord,
    weights: bytes,
    digests: Mapping[str, str],
) -> str:
    from iwae.serving import PARAMS, ServedModel  # loads PyTorch, which no record needs

    with tempfile.TemporaryDirectory(prefix="sweeps-") as name:
        folder = Path(name)
        data = folder / "model.safetensors"
        data.write_bytes(weights)
        tags = {"sweeps.name": record.name, "sweeps.trial_key": trial.key}
        requirements = [f"{package}=={importlib.metadata.version(package)}" for package in _REQUIREMENTS]
        experiment_id = client.run(run_id).experiment_id
        return LoggedModels(client).log(
            experiment_id,
            run_id,
            _model_name(record.name),
            len(trial.history),
            tags,
            digests,
            loader=_LOADER,
            data=data,
            width=ServedModel(data).trained.inputs.width,
            params=PARAMS,
            code=_code(folder / "code"),
            requirements=requirements,
        )


def _code(folder: Path) -> list[Path]:
    """A copy of what the model needs to be loaded where this project is not installed."""
    package = Path(iwae.__file__).parent
    shutil.copytree(package, folder / "iwae", ignore=shutil.ignore_patterns("__pycache__"))
    return [folder / "iwae"]


def _model_name(sweep: str) -> str:
    """MLflow refuses some characters in a model's name."""
    return "".join("-" if character in "/:.%\"'" else character for character in f"{sweep} best")
