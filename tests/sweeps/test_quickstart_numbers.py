"""The quickstart's 24 trials have the numbers that they had when they were written down, to the bit.

`fixtures/quickstart.json.xz` holds every epoch and the final evaluation of each trial, without seconds and
bytes; `fixtures/quickstart.py` wrote it at the commit that it names. Bits depend on processor, PyTorch and
threads: where these are others the tests compare early epochs to 1e-4 and final likelihoods to 1e-2, and
their names say so.
"""

import json
import lzma
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.trainer.trainer import Trainer
from support.workplace import deterministic
from sweeps.plan.plan import draw_plan
from sweeps.spec.spec import load_spec
from tracking.provenance.machine import environment

RECORDED = json.loads(lzma.decompress((Path(__file__).parent / "fixtures/quickstart.json.xz").read_bytes()))
TRIALS: Mapping[str, Any] = {trial["name"]: trial for trial in RECORDED["trials"].values()}
THREADS = RECORDED["environment"]["threads"]
NOW = environment("cpu", THREADS, "", 0)
OTHERS = {part: NOW[part] for part, then in RECORDED["environment"].items() if NOW[part] != then}
HOW = "to 1e-4, as another " + " and ".join(OTHERS) if OTHERS else "to the bit"
EARLY_EPOCHS = 2
LIKELIHOODS = ("val/nll_final", "test/nll")
# One of each annealing and of both ends of K but the dearest.
QUICK = ("K=1 D=20 linear s0", "K=5 D=20 no-annealing s1", "K=20 D=20 linear s2")


def named(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", [pytest.param(name, id=f"{name} {HOW}") for name in names])


@pytest.fixture(scope="module")
def configurations() -> Mapping[str, TrainConfig]:
    """Of every trial, as a worker gets it."""
    runtime = {"device": "cpu", "threads": THREADS}
    return {
        trial.name: TrainConfig.parse({**trial.config.to_dict(), **runtime})
        for trial in draw_plan(load_spec("quickstart"))
    }


@pytest.fixture(autouse=True)
def _threads() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield
    torch.set_num_threads(before)


def check(found: Mapping[str, float], recorded: Mapping[str, float], what: str, relative: float) -> None:
    """Equal to the bit, or to `relative` where the processor, PyTorch or the threads are others."""
    assert list(found) == list(recorded), what
    if OTHERS:
        assert found == pytest.approx(recorded, rel=relative, abs=1e-6), f"{what}; there are other {OTHERS}"
    else:  # repr tells −0.0 from 0.0 and has every bit
        assert {k: repr(v) for k, v in found.items()} == {k: repr(v) for k, v in recorded.items()}, what


def check_epochs(trainer: Trainer, name: str, epochs: int) -> None:
    recorded = TRIALS[name]["epochs"]
    for epoch in trainer.epochs():
        if not OTHERS or epoch.epoch <= EARLY_EPOCHS:
            metrics = deterministic(epoch.metrics)
            check(metrics, recorded[epoch.epoch - 1], f"{name}, epoch {epoch.epoch}", 1e-4)
        if epoch.epoch == epochs:
            return


def check_whole(config: TrainConfig, digits: Dataset, name: str) -> None:
    trainer = Trainer(config, digits)
    check_epochs(trainer, name, len(TRIALS[name]["epochs"]))
    assert trainer.epoch == len(TRIALS[name]["epochs"])
    final, recorded = deterministic(trainer.finish()), TRIALS[name]["final"]
    if OTHERS:
        final, recorded = ({k: numbers[k] for k in LIKELIHOODS} for numbers in (final, recorded))
    check(final, recorded, f"{name}, final evaluation", 1e-2)


def test_the_plan_has_the_recorded_trials_under_their_keys_in_their_order() -> None:
    planned = {trial.key: trial.name for trial in draw_plan(load_spec("quickstart"))}
    recorded = {key: trial["name"] for key, trial in RECORDED["trials"].items()}
    assert list(planned.items()) == list(recorded.items())
    assert len(planned) == 24


@named(*TRIALS)
def test_a_trial_begins_with_the_recorded_numbers(
    configurations: Mapping[str, TrainConfig], digits: Dataset, name: str
) -> None:
    check_epochs(Trainer(configurations[name], digits), name, EARLY_EPOCHS)


@named(*QUICK)
def test_a_trial_has_the_recorded_numbers_to_its_end(
    configurations: Mapping[str, TrainConfig], digits: Dataset, name: str
) -> None:
    check_whole(configurations[name], digits, name)


@pytest.mark.slow
@named(*(name for name in TRIALS if name not in QUICK))
def test_every_other_trial_has_the_recorded_numbers_to_its_end(
    configurations: Mapping[str, TrainConfig], digits: Dataset, name: str
) -> None:
    check_whole(configurations[name], digits, name)
