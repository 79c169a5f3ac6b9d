"""`sweeps export`: the tables hold what the model says of the very items that it was measured on."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from scipy import special
from sklearn.datasets import load_digits

from iwae.data.load import load_dataset
from iwae.data.pixels import evaluation_pixels, intensities
from iwae.errors import ConfigError, DataError
from iwae.model.weights import load
from support.trained import BASE, train_sweep
from support.workplace import Workplace
from sweeps.results.export import export
from tracking.records.records import TrialRecord
from tracking.storage.sweep import SweepStorage

DIGITS = load_digits()


@pytest.fixture(scope="module", name="storage")
def _storage(tmp_path_factory: pytest.TempPathFactory) -> SweepStorage:
    return train_sweep(tmp_path_factory.mktemp("storage"))


@pytest.fixture(name="trial")
def _trial(storage: SweepStorage) -> TrialRecord:
    return storage.record().trials[3]


def test_a_row_is_an_item_with_its_latents_and_its_nll(
    storage: SweepStorage, trial: TrialRecord, tmp_path: Path
) -> None:
    written = export(storage, trial, tmp_path / "out", embeddings=True, nll=True, run_id="c0ffee")
    tables = {split: pd.read_parquet(path) for split, path in written.files.items()}
    unit = storage.trial(trial.key).newest()
    assert unit is not None
    assert trial.final is not None
    (tmp_path / "model.safetensors").write_bytes(unit.weights or b"")
    model, data = load(tmp_path), load_dataset(trial.config.data)
    for split, table in tables.items():
        pixels = evaluation_pixels(getattr(data, split), "dynamic", split)
        posterior = model.encode(intensities(pixels))
        original = np.rint(DIGITS.images[table["index"]] * (255 / 16)).astype(np.uint8)
        assert np.array_equal(original.reshape(len(pixels), 64), getattr(data, split).numpy())
        assert table["source"].unique().tolist() == ["test" if split == "test" else "train"]
        assert set(table["split"]) == {split}
        assert table["label"].tolist() == DIGITS.target[table["index"]].tolist()
        for name, expected in (("mean", posterior.mean), ("std", posterior.log_std.exp())):
            columns = table[[f"z_{name}_{d}" for d in range(4)]]
            np.testing.assert_allclose(columns, expected.detach(), rtol=1e-4, atol=1e-6)
    # What the trial recorded of the same items, and an estimate of our own with other noise.
    assert tables["test"]["nll"].mean() == pytest.approx(trial.final["test/nll"], abs=1e-4)
    x = intensities(evaluation_pixels(data.train, "dynamic", "train"))[:30]
    with torch.no_grad():
        log_p = model.log_densities(x, 5000, generator=torch.Generator().manual_seed(7))
    log_w = (log_p.log_p_x_given_z + log_p.log_p_z - log_p.log_q_z_given_x).double().numpy()
    np.testing.assert_allclose(
        tables["train"]["nll"][:30], np.log(5000) - special.logsumexp(log_w, axis=0), atol=1
    )


def test_the_files_say_where_they_come_from(
    storage: SweepStorage, trial: TrialRecord, tmp_path: Path
) -> None:
    written = export(storage, trial, tmp_path, embeddings=False, nll=True, num_samples=3, run_id="c0ffee")
    assert written.columns == ("split", "source", "index", "label", "nll")
    said = {
        name.decode(): value.decode()
        for name, value in pq.read_schema(written.files["test"]).metadata.items()
    }
    assert json.loads(said["sweeps.config"]) == trial.config.to_dict()
    assert (said["sweeps.run_id"], said["sweeps.trial_key"]) == ("c0ffee", trial.key)
    assert said["sweeps.data_sha256"] == load_dataset(trial.config.data).content_hash
    assert said["sweeps.nll_num_samples"] == "3"
    assert len(pd.read_parquet(tmp_path)) == sum(written.items.values())  # a folder is one table


def test_files_that_are_there_stay_and_nothing_is_asked_for_in_vain(
    storage: SweepStorage, trial: TrialRecord, tmp_path: Path
) -> None:
    (tmp_path / "test.parquet").write_text("mine")
    with pytest.raises(ConfigError, match=r"--out: .* has test.parquet already: --force replaces them"):
        export(storage, trial, tmp_path, embeddings=True, nll=False)
    with pytest.raises(ConfigError, match="--embeddings: is missing, and so is --nll: give one or both"):
        export(storage, trial, tmp_path, embeddings=False, nll=False)
    assert [path.name for path in tmp_path.iterdir()] == ["test.parquet"]
    export(storage, trial, tmp_path, embeddings=True, nll=False, force=True)
    assert len(list(tmp_path.iterdir())) == 3


def test_other_data_are_refused(tmp_path: Path) -> None:
    """A file that was written anew since the sweep: what the model says of other items is not exported."""
    rng = np.random.default_rng(0)
    for number in (0, 1):
        arrays = {name: rng.random((30, 16)) < 0.5 for name in ("train", "validation", "test")}
        np.savez(tmp_path / "mine.npz", **arrays)
        if number == 0:
            data = {"name": "npz", "path": str(tmp_path / "mine.npz"), "binarization": "none"}
            storage = train_sweep(tmp_path / "storage", base={**BASE, "data": data, "num_epochs": 2})
    with pytest.raises(DataError, match="is not what the sweep began with: its SHA-256 is"):
        export(storage, storage.record().trials[0], tmp_path / "out", embeddings=True, nll=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.service
def test_the_command_exports_a_run_and_prints_one_object(
    finished: tuple[Workplace, dict[str, Any]], tmp_path: Path
) -> None:
    place, result = finished
    run_id = result["best"]["run_id"]
    asked = ["export", run_id, "--embeddings", "--nll", "--num-samples", 2, "--out", tmp_path / "out"]
    told = place.json(*asked)
    assert told["items"] == {"train": 200, "validation": 300, "test": 360}
    assert told["num_samples"] == 2
    assert set(told["files"]) == set(told["nll"]) == {"train", "validation", "test"}
    assert pq.read_schema(told["files"]["train"]).metadata[b"sweeps.run_id"].decode() == run_id
    refused = place.sweeps(*asked, "--json", code=2)
    assert refused.stdout == ""
    assert "has train.parquet, validation.parquet, test.parquet already: --force" in refused.stderr
