"""A model and an estimator of one's own: a file, a configuration and a word in the registry each.

They are put into a copy of the sources, and a sweep over both runs from there through Ray; nothing else in
the copy is changed.
"""

import csv
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load
from scipy import stats

import support.toys
from iwae.config.data import DataConfig
from iwae.config.objective import BoundConfig
from iwae.data.load import load_dataset
from iwae.objectives.objective import Objective, Weights, build_objective, gradients
from support.linear_gaussian import one_dimensional, pixels
from support.toys.dreg import DReG
from support.toys.dreg_config import DRegConfig
from tracking.provenance.sources import PACKAGES

pytestmark = pytest.mark.service

PROJECT = Path(__file__).parents[2]
TOYS = Path(support.toys.__file__).parent
SPEC = """
name: toys
base:
  data: {name: digits, binarization: none}
  model: {likelihood: gaussian, latent_dim: 2}
  objective: {num_samples: 5}
  optimizer: {lr: 1e-2}
  num_epochs: 15
  evaluation: {num_samples: 5, num_images: 50, final_num_samples: 1000, final_num_images: 50,
    few_num_samples: 5, snr_num_draws: 10}
search:
  space:
    model.name: {grid: [vae, ppca]}
    objective.name: {grid: [iwae, dreg]}
  seeds: [0]
"""
# What a sweep of the copy left behind, said by the copy itself: only there have the toys a configuration.
ASK = """
import json, sys
from pathlib import Path
from tracking.files.folder import Folder
from tracking.storage.sweep import SweepStorage
storage, trials = SweepStorage(Folder(Path(sys.argv[1])), "toys"), {}
for trial in storage.record().trials:
    Path(f"{trial.key}.safetensors").write_bytes(storage.trial(trial.key).newest().weights)
    trials[trial.key] = {"state": trial.state, "final": trial.final, "epochs": len(trial.history),
        "model": trial.config.model.name, "objective": trial.config.objective.name}
print(json.dumps(trials))
"""


class Copy:
    """The sources with the toys in them, and a folder in which their commands run."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.sources = folder / "work", folder / "sources"
        self.folder.mkdir()
        for package in PACKAGES:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(PROJECT / package, self.sources / package, ignore=ignored)
        package = self.sources / "iwae"
        shutil.copy(TOYS / "ppca.py", package / "model")
        shutil.copy(TOYS / "ppca_config.py", package / "config" / "model" / "ppca.py")
        importing = "from iwae.config.model.ppca import PPCAConfig"
        register(package / "config" / "model" / "__init__.py", importing, "PPCAConfig")
        shutil.copy(TOYS / "dreg.py", package / "objectives")
        register(package / "config" / "objective.py", inspect.getsource(DRegConfig), "DRegConfig")

    def python(self, *words: object) -> subprocess.CompletedProcess[str]:
        left_out = ("MLFLOW_TRACKING_URI", "SWEEPS_STORAGE")
        environment = {name: value for name, value in os.environ.items() if name not in left_out}
        return subprocess.run(
            [sys.executable, *map(str, words)],
            cwd=self.folder,
            env={**environment, "PYTHONPATH": str(self.sources)},
            capture_output=True,
            text=True,
            check=True,
        )


def register(registry: Path, code: str, config: str) -> None:
    """What a person does: the configuration's class, or its import, and its name in the union."""
    before, comment, after = registry.read_text().partition("# The registry")
    assert len(re.findall(r",\s+Field\(", after)) == 1
    line = re.sub(r",(\s+Field\()", rf" | {config},\1", after)
    registry.write_text(f"{before}{code}\n\n{comment}{line}")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy that has run the sweep over both models and both estimators."""
    copy = Copy(tmp_path_factory.mktemp("toys"))
    (copy.folder / "spec.yaml").write_text(SPEC)
    result = json.loads(copy.python("-m", "sweeps", "run", "spec.yaml", "--json").stdout)
    assert result["trials"] == {"COMPLETE": 4}
    return copy


def trials(copy: Copy) -> dict[str, dict[str, Any]]:
    answer = copy.python("-c", ASK, copy.folder / "sweeps-storage").stdout
    found: dict[str, dict[str, Any]] = json.loads(answer)
    return found


def test_a_sweep_over_the_toys_and_what_there_is_runs_and_is_sound(swept: Copy) -> None:
    found = [(t["model"], t["objective"], t["state"], t["epochs"]) for t in trials(swept).values()]
    kinds = [(model, objective) for model in ("vae", "ppca") for objective in ("iwae", "dreg")]
    assert sorted(found) == sorted((*kind, "COMPLETE", 15) for kind in kinds)
    assert json.loads(swept.python("-m", "sweeps", "verify", "toys", "--json").stdout)["ok"]


def test_likelihood_of_the_toy_model_is_its_closed_form(swept: Copy) -> None:
    images = load_dataset(DataConfig(name="digits")).validation[:50].double().numpy() / 255
    compared = 0
    for key, trial in trials(swept).items():
        if trial["model"] != "ppca":
            continue
        weights = load((swept.folder / f"{key}.safetensors").read_bytes())
        W, variance = weights["W"].astype(float), float(np.exp(2 * weights["log_std"]))
        marginal = stats.multivariate_normal(weights["b"], W @ W.T + variance * np.eye(64))
        assert trial["final"]["val/nll_final"] == pytest.approx(-marginal.logpdf(images).mean(), abs=0.05)
        compared += 1
    assert compared == 2


def test_the_report_has_a_row_for_each_model_and_estimator(swept: Copy) -> None:
    swept.python("-m", "sweeps", "report", "toys")
    table = swept.folder / "sweeps-storage" / "toys" / "report" / "tradeoff.csv"
    rows = list(csv.DictReader(table.read_text().splitlines()))
    final = {(t["model"], t["objective"]): t["final"]["val/nll_final"] for t in trials(swept).values()}
    shown = {(r["model.name"], r["objective.name"]): float(r["val_nll_final_mean"]) for r in rows}
    assert shown == pytest.approx(final)


def test_a_toy_trial_reproduces_to_the_bit(swept: Copy) -> None:
    answer = swept.python("-m", "sweeps", "reproduce", "--best", "toys", "--json").stdout
    assert json.loads(answer)["verdict"] == "BITWISE"


def test_editors_know_the_toys(swept: Copy) -> None:
    schema = json.loads(swept.python("-m", "sweeps", "schema").stdout)
    space = schema["definitions"]["SearchSpec"]["properties"]["space"]["properties"]
    known = space["model.name"]["properties"]["grid"]["items"]["enum"]
    assert {"vae", "ppca"} < set(known)
    assert "dreg" in space["objective.name"]["properties"]["grid"]["items"]["enum"]
    assert schema["definitions"]["PPCAConfig"]["properties"]["name"]["const"] == "ppca"


def test_doubly_reparameterized_gradient_has_the_mean_of_the_bounds_own_and_less_spread() -> None:
    model, source = one_dimensional(), torch.Generator().manual_seed(0)

    def draws(objective: Objective) -> np.ndarray:
        """Gradients ``[100, P]`` of encoder and decoder, each the mean over 2,000 images."""
        found = []
        for _ in range(100):
            terms = objective.step_terms(model, pixels(2000), Weights(), generator=source)
            groups = gradients(terms.surrogates.each(torch.mean), model.groups())
            found.append(torch.cat([g.flatten() for group in groups.values() for g in group]).numpy())
        return np.stack(found)

    own = draws(build_objective(BoundConfig(num_samples=5)))
    doubly = draws(DReG(SimpleNamespace(num_samples=5)))
    difference = own.mean(0) - doubly.mean(0)
    spread = np.sqrt((own.var(0, ddof=1) + doubly.var(0, ddof=1)) / 100)
    assert (np.abs(difference) < 4.5 * spread).all()
    assert (np.abs(own.mean(0)) > 10 * spread).all()  # gradients that are not 0 were compared
    encoder = slice(0, 4)
    assert (doubly.std(0)[encoder] < own.std(0)[encoder]).all()
