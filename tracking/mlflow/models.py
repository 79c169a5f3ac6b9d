"""Logged models: what `mlflow.pyfunc.load_model` and `mlflow models serve` load."""

import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from mlflow.entities import LoggedModelOutput

from tracking.mlflow.calls import Calls, quoted


class LoggedModels:
    """The logged models of one tracking store.

    Args:
        calls: of the store.
        experiment_ids: of the experiments that are searched.
    """

    def __init__(self, calls: Calls, experiment_ids: Callable[[], list[str]]) -> None:
        self._calls = calls
        self._experiment_ids = experiment_ids

    def find(self, tags: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """The tags of the logged models that have these, by model id, newest first."""
        conditions = " and ".join(f"tags.`{name}` = '{quoted(value)}'" for name, value in tags.items())
        ids, search = self._experiment_ids(), self._calls.mlflow.search_logged_models
        found = self._calls.pages(lambda token: self._calls.call(search, ids, conditions, page_token=token))
        return {model.model_id: model.tags for model in found}

    def log(
        self,
        experiment_id: str,
        run_id: str,
        name: str,
        step: int,
        first: Mapping[str, str],
        last: Mapping[str, str],
        *,
        loader: str,
        data: Path,
        width: int,
        code: Sequence[Path],
        requirements: Sequence[str],
    ) -> str:
        """Log a model that images ``[N, width]`` go into, any N; returns its id.

        It has the tags ``first`` from the beginning and ``last`` when everything else has arrived.
        """
        call, mlflow = self._calls.call, self._calls.mlflow
        model = call(mlflow.create_logged_model, experiment_id, name, run_id, dict(first))
        identity = str(model.model_id)
        with tempfile.TemporaryDirectory(prefix="sweeps-") as temporary:
            folder = Path(temporary, "model")
            call(_save_model, folder, loader, data, width, code, requirements)
            call(mlflow.log_model_artifacts, identity, str(folder))
        call(mlflow.finalize_logged_model, identity, "READY")
        call(mlflow.log_outputs, run_id, [LoggedModelOutput(identity, step)])
        call(mlflow.set_logged_model_tags, identity, dict(last))
        return identity

    def place(self, model_id: str) -> str:
        """The address of a logged model's files."""
        return str(self._calls.call(self._calls.mlflow.get_logged_model, model_id).artifact_location)

    def delete(self, model_id: str) -> None:
        """Move a logged model to MLflow's trash."""
        self._calls.call(self._calls.mlflow.delete_logged_model, model_id)


def _save_model(
    folder: Path, loader: str, data: Path, width: int, code: Sequence[Path], requirements: Sequence[str]
) -> None:
    # It warns of its own type hints, and of a missing example: an example would fix the number of images.
    with warnings.catch_warnings(action="ignore"):
        from mlflow import pyfunc, types
        from mlflow.models import ModelSignature

        pixels = types.Schema([types.TensorSpec(np.dtype(np.float32), (-1, width))])
        choices = [types.ParamSpec("num_samples", "long", 100), types.ParamSpec("output", "string", "nll")]
        pyfunc.save_model(
            folder,
            loader_module=loader,
            data_path=str(data),
            code_paths=[str(path) for path in code],
            signature=ModelSignature(inputs=pixels, params=types.ParamSchema(choices)),
            pip_requirements=list(requirements),
        )
