import math
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch

from iwae import trained as trained_module
from iwae.errors import DataError
from iwae.model.weights import load
from iwae.serving import ServedModel
from iwae.trained import TrainedModel
from tracking.errors import RecordError
from tracking.files.folder import Folder
from tracking.mlflow.models import LoggedModels
from tracking.publish import log_best_model
from tracking.records.records import SweepRecord
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore


@pytest.fixture
def record(trained: SweepStorage, store: RunStore) -> SweepRecord:
    record = trained.record()
    store.sync(record)
    return record


def images(count: int) -> np.ndarray:
    return (np.random.default_rng(0).random((count, 64)) < 0.3).astype(np.float64)


def test_the_best_model_is_loaded_and_called(
    record: SweepRecord, store: RunStore, trained: SweepStorage, tmp_path: Path
):
    trial = record.trials[3]
    uri = log_best_model(record, trial, trained, store)
    mlflow.set_tracking_uri(store.tracking_uri)
    model = mlflow.pyfunc.load_model(uri)
    x = images(7)
    nll = model.predict(x, params={"num_samples": 2000})
    assert nll.shape == (7,)
    assert model.predict(images(1)).shape == (1,)
    np.testing.assert_array_equal(model.predict(pd.DataFrame(x)), model.predict(x))
    assert model.metadata.signature.inputs.inputs[0].shape == (-1, 64)
    for width in (60, 70):
        with pytest.raises(mlflow.MlflowException, match=rf"Shape of input \(7, {width}\) does not match"):
            model.predict(np.zeros((7, width)))
        with pytest.raises(mlflow.MlflowException, match=f"had {width} columns"):
            model.predict(pd.DataFrame(np.zeros((7, width))))
    np.testing.assert_array_equal(model.predict(x), model.predict(x))

    unit = trained.trial(trial.key).newest()
    assert unit is not None
    (tmp_path / "model.safetensors").write_bytes(unit.weights or b"")
    vae = load(tmp_path)
    terms = vae.log_densities(torch.from_numpy(x).float(), 20_000, generator=torch.Generator().manual_seed(3))
    log_w = terms.log_p_x_given_z + terms.log_p_z - terms.log_q_z_given_x
    expected = math.log(20_000) - torch.logsumexp(log_w, 0)
    np.testing.assert_allclose(nll, expected.detach().numpy(), atol=0.5)
    table = model.predict(pd.DataFrame(x), params={"output": "embeddings"})
    assert list(table.columns) == [f"z_{what}_{d}" for what in ("mean", "std") for d in range(4)]
    posterior = vae.encode(torch.from_numpy(x).float())
    np.testing.assert_allclose(table.iloc[:, :4], posterior.mean.detach(), rtol=1e-6)
    np.testing.assert_allclose(table.iloc[:, 4:], posterior.log_std.exp().detach(), rtol=1e-6)
    drawn = model.predict(x[:0], params={"output": "samples", "num": 3, "seed": 1})
    assert drawn.shape == (3, 64)
    np.testing.assert_array_equal(drawn, TrainedModel.load(tmp_path).sample(3, seed=1))
    means = model.predict(x, params={"output": "reconstruction"})
    np.testing.assert_allclose(
        means, vae.reconstruct(torch.from_numpy(x).float()).detach().numpy(), rtol=1e-6
    )


def test_another_best_replaces_the_model_and_the_same_changes_nothing(
    record: SweepRecord, store: RunStore, trained: SweepStorage
):
    first = log_best_model(record, record.trials[0], trained, store)
    assert log_best_model(record, record.trials[0], trained, store) == first
    second = log_best_model(record, record.trials[1], trained, store)
    assert second != first
    assert list(LoggedModels(store.client).find({"sweeps.name": record.name})) == [
        second.removeprefix("models:/")
    ]
    parent = store.client.run(store.find_sweep(record.name) or "")
    assert parent.tags["sweeps.best_model"] == second
    assert parent.tags["sweeps.best_run_id"] == store.trial_run_id(record.name, record.trials[1].key)


def test_the_model_loads_where_the_project_is_not_installed(
    record: SweepRecord, store: RunStore, trained: SweepStorage, tmp_path: Path
):
    uri = log_best_model(record, record.trials[0], trained, store)
    code = (
        "import sys; sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]\n"
        "sys.path = [p for p in sys.path if 'editable' not in p]\n"
        "import importlib.util; assert importlib.util.find_spec('tracking') is None\n"
        "import mlflow, numpy as np\n"
        f"mlflow.set_tracking_uri({store.tracking_uri!r})\n"
        f"print(mlflow.pyfunc.load_model({uri!r}).predict(np.zeros((3, 64))).shape)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(3,)"


def test_a_trial_without_weights_has_no_model(record: SweepRecord, store: RunStore, tmp_path: Path):
    with pytest.raises(RecordError, match="storage has no weights of K=1 D=4 s0"):
        log_best_model(record, record.trials[0], SweepStorage(Folder(tmp_path), record.name), store)


def served(trained: SweepStorage, folder: Path) -> ServedModel:
    unit = trained.trial(trained.plan()[0].key).newest()
    assert unit is not None
    (folder / "model.safetensors").write_bytes(unit.weights or b"")
    return ServedModel(folder / "model.safetensors")


def test_number_of_an_image_does_not_depend_on_its_place_or_its_neighbours(
    trained: SweepStorage, tmp_path: Path
):
    model, x = served(trained, tmp_path), images(9)
    together = model.predict(x)
    assert len(set(together.tolist())) == 9
    np.testing.assert_array_equal(model.predict(x[::-1])[::-1], together)
    np.testing.assert_array_equal(np.concatenate([model.predict(image[None]) for image in x]), together)
    assert model.predict(x[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (images(3) * 255, r"0 to 255 is not allowed: must be in \[0, 1\] .bytes are divided by 255"),
        (images(3) * 0.5, "0.5 is not allowed: must be 0 or 1, as the model was trained on binary pixels"),
        (images(3) - 1, r"-1 to 0 is not allowed: must be in \[0, 1\]"),
        (np.where(images(3) > 0, np.nan, 0), "NaN or infinity is not allowed"),
        (images(3)[:, :60], r"shape \(3, 60\) is not allowed: must be \[N, 64\]"),
        (images(3)[0], r"shape \(64,\) is not allowed"),
    ],
)
@pytest.mark.parametrize("output", ["nll", "reconstruction"])
def test_images_that_training_would_refuse_are_refused(
    wrong: np.ndarray, message: str, output: str, trained: SweepStorage, tmp_path: Path
):
    with pytest.raises(DataError, match=message):
        served(trained, tmp_path).predict(wrong, {"output": output})


def test_bound_of_the_served_model_falls_with_more_samples_in_any_number_of_blocks(
    trained: SweepStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    model, x = served(trained, tmp_path), images(20)
    few, many = (model.predict(x, {"num_samples": k}) for k in (1, 500))
    assert many.mean() < few.mean()
    monkeypatch.setattr(trained_module, "LOG_WEIGHTS_AT_ONCE", 50)
    np.testing.assert_allclose(model.predict(x, {"num_samples": 500}), many, rtol=0.02)
    assert not np.array_equal(model.predict(x, {"num_samples": 50}), many)
