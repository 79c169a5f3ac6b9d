"""Logged models: what `mlflow.pyfunc.load_model` and `mlflow models serve` load."""

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mlflow.entities import LoggedModelOutput

from tracking.mlflow.artifacts import Artifacts
from tracking.mlflow.calls import quoted
from tracking.mlflow.client import Client

if TYPE_CHECKING:
    from mlflow.models import ModelSignature


class LoggedModels:
    """The logged models of one tracking store.

    Attributes:
        artifacts: their files, by a model's id.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self.artifacts = Artifacts(client, lambda model_id: client.move.artifact(self.place(model_id)))

    def find(self, tags: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """The tags of the logged models that have these, by model id, newest first."""
        conditions = " and ".join(f"tags.`{name}` = '{quoted(value)}'" for name, value in tags.items())
        client, ids = self._client, list(self._client.experiments().values())
        search = client.mlflow.search_logged_models
        found = client.pages(lambda token: client.call(search, ids, conditions, page_token=token))
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
        params: Mapping[str, Any],
        code: Sequence[Path],
        requirements: Sequence[str],
    ) -> str:
        """Log a model that items ``[N, width]`` and ``params`` with these defaults go into; returns its id.

        It has the tags ``first`` from the beginning and ``last`` when everything else has arrived.
        """
        call, mlflow = self._client.call, self._client.mlflow
        model = call(mlflow.create_logged_model, experiment_id, name, run_id, dict(first))
        identity = str(model.model_id)
        with tempfile.TemporaryDirectory(prefix="sweeps-") as temporary:
            folder = Path(temporary, "model")
            call(_save_model, folder, loader, data, _signature(width, params), code, requirements)
            call(mlflow.log_model_artifacts, identity, str(folder))
        call(mlflow.finalize_logged_model, identity, "READY")
        call(mlflow.log_outputs, run_id, [LoggedModelOutput(identity, step)])
        call(mlflow.set_logged_model_tags, identity, dict(last))
        return identity

    def place(self, model_id: str) -> str:
        """The address of a logged model's files."""
        return str(self._client.call(self._client.mlflow.get_logged_model, model_id).artifact_location)

    def delete(self, model_id: str) -> None:
        """Move a logged model to MLflow's trash."""
        self._client.call(self._client.mlflow.delete_logged_model, model_id)


def _signature(width: int, params: Mapping[str, Any]) -> "ModelSignature":
    """One tensor: of unnamed columns MLflow would cut off those that are too many.

    float64, which is what DataFrames and NumPy make of numbers: MLflow converts none.
    """
    from mlflow import types
    from mlflow.models import ModelSignature

    choices = [
        types.ParamSpec(name, "string" if isinstance(default, str) else "long", default)
        for name, default in params.items()
    ]
    items = types.Schema([types.TensorSpec(np.dtype(np.float64), (-1, width))])
    return ModelSignature(inputs=items, params=types.ParamSchema(choices))


def _save_model(
    folder: Path,
    loader: str,
    data: Path,
    signature: "ModelSignature",
    code: Sequence[Path],
    requirements: Sequence[str],
) -> None:
    # It warns of its own type hints, and of a missing example: an example would fix the number of images.
    with warnings.catch_warnings(action="ignore"):
        from mlflow import pyfunc

        pyfunc.save_model(
            folder,
            loader_module=loader,
            data_path=str(data),
            code_paths=[str(path) for path in code],
            signature=signature,
            pip_requirements=list(requirements),
        )
