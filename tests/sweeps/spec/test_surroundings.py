"""Paths that a user names from one folder and a worker reads from another."""

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from iwae.config import yaml
from iwae.config.data import DataConfig
from iwae.data.load import load_dataset
from iwae.errors import ConfigError, DataError
from support.workplace import Workplace
from sweeps.execution.data_sets import prepare_data
from sweeps.plan.plan import draw_plan
from sweeps.spec.spec import SweepSpec, load_spec
from sweeps.spec.surroundings import PATH_VARIABLES, make_environment_absolute, with_data_found
from tracking.records.records import TrialState

SPEC = """
name: mine
base:
  data: {name: npz, path: data/mine.npz}
  model: {hidden_dims: [8], latent_dim: 2}
  num_epochs: 1
  evaluation: {num_samples: 5, final_num_samples: 100, few_num_samples: 5, snr_num_draws: 0}
search: {space: {}, seeds: [0]}
tracking: {figures: false}
"""
IMAGES = (load_digits().images * 15).astype(np.uint8)


def write_images(path: Path, images: np.ndarray = IMAGES) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, train=images[:200], test=images[200:300])
    return path


def test_data_path_is_absolute_as_seen_from_the_folder_where_the_spec_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert load_spec("../spec.yaml").base.data.path == str(tmp_path / "below/data/mine.npz")
    assert load_spec("../spec.yaml", ["base.data.path=~/x.npz"]).base.data.path == str(Path.home() / "x.npz")
    assert load_spec("../spec.yaml", here=False).base.data.path == "data/mine.npz"


@pytest.mark.parametrize(
    "space",
    [
        "data.path: {grid: [a.npz, /b.npz]}",
        "data: {grid: [{name: npz, path: a.npz}, {name: npz, path: /b.npz}]}",
        "data: {choice: [{name: npz, path: {grid: [a.npz, /b.npz]}}]}",
    ],
)
def test_paths_of_the_space_are_absolute_too(space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/tmp")
    document = with_data_found({"search": {"space": yaml.load(space)}})
    assert "/tmp/a.npz" in str(document)
    assert "'a.npz'" not in str(document)
    assert "/b.npz" in str(document)


def test_npz_of_a_new_spec_is_shuffled_and_that_of_a_begun_sweep_stays_in_order() -> None:
    document = yaml.load(SPEC)
    assert with_data_found(document)["base"]["data"]["order"] == "shuffled"
    assert "order" not in with_data_found(document, begun=True)["base"]["data"]
    document["base"]["data"]["order"] = "file"
    assert with_data_found(document)["base"]["data"]["order"] == "file"
    assert "order" not in with_data_found({"base": {"data": {"name": "digits"}}})["base"]["data"]


@pytest.mark.parametrize(
    "malformed", [{"base": 3}, {"base": {"data": 3}}, {"search": []}, {"search": {"space": 1}}]
)
def test_what_is_malformed_stays_for_its_own_error(malformed: dict[str, object]) -> None:
    assert with_data_found(malformed) == malformed


@pytest.mark.parametrize("name", PATH_VARIABLES)
def test_every_path_of_the_environment_is_absolute(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environment = {name: "here/it/is", "OTHER": "here"}
    make_environment_absolute(environment)
    assert environment == {name: str(tmp_path / "here/it/is"), "OTHER": "here"}
    make_environment_absolute(environment)
    assert environment[name] == str(tmp_path / "here/it/is")


def test_relative_path_of_an_old_sweep_is_refused_before_its_workers_look_for_it() -> None:
    spec = SweepSpec.parse({**yaml.load(SPEC)})
    with pytest.raises(ConfigError, match=r"base.data.path: data/mine.npz is not allowed: must be absolute"):
        prepare_data(draw_plan(spec), spec)


def test_moved_file_is_found_in_the_data_folder_only_where_its_content_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(tmp_path / "new/mine.npz")
    monkeypatch.setenv("IWAE_DATA_DIR", str(tmp_path / "new"))
    config = DataConfig(name="npz", path=str(tmp_path / "old/mine.npz"))
    assert len(load_dataset(config, moved=True).test) == 100
    with pytest.raises(DataError, match=r"must be an .npz file that exists"):
        load_dataset(config)


@pytest.mark.service
def test_sweep_on_a_file_of_this_folder_goes_on_with_the_same_content_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Workplace(tmp_path)
    content = write_images(tmp_path / "data/mine.npz").read_bytes()
    place.spec.write_text(SPEC.replace("mine\n", "small\n"))
    monkeypatch.setenv("TMPDIR", os.path.relpath("/tmp", tmp_path))  # for Ray and its workers
    place.sweeps("run", place.spec)

    write_images(tmp_path / "data/mine.npz", IMAGES[::-1])
    refused = place.sweeps("extend", "small", "--set", "search.seeds=[0, 1]", code=2).stderr
    assert "mine.npz is not what the sweep began with: its SHA-256 is" in refused
    assert len(place.storage().plan()) == 1

    (tmp_path / "data/mine.npz").unlink()
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved/mine.npz").write_bytes(content)
    monkeypatch.setenv("IWAE_DATA_DIR", "moved")
    place.sweeps("extend", "small", "--set", "search.seeds=[0, 1]")
    assert [trial.state for trial in place.storage().record().trials] == [TrialState.COMPLETE] * 2
    assert "BITWISE" in place.sweeps("reproduce", "--best", "small").stdout
