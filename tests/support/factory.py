"""Sweeps that look like real ones, built without training: closed forms plus noise."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from iwae.config.train import TrainConfig
from tracking.records.records import EpochRecord, PlannedTrial, SweepRecord, TrialRecord, TrialState
from tracking.records.shapes import Attempt

RECONSTRUCTION = ("val/reconstruction_mse_final", "test/reconstruction_mse")
# Models of gray digits.
GRAY = {"name": "digits", "binarization": "none"}
MODELS = (
    {"model": {"name": "vae", "likelihood": "gaussian"}},
    {"model": {"name": "vae", "likelihood": "gaussian", "posterior": {"name": "flow"}}},
    {"model": {"name": "pca", "probabilistic": True}},
    {"model": {"name": "mixture"}},
    {"model": {"name": "pca"}},
    {"model": {"name": "autoencoder", "likelihood": "gaussian"}},
)
FIXED, PER_SAMPLE = 8.6, 0.024  # seconds of an epoch: t = 8.6 + .024 K
NUM_TRAIN = 50_000


def nested(overrides: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for path, value in overrides.items():
        *parts, last = path.split(".")
        place = values
        for part in parts:
            place = place.setdefault(part, {})
        place[last] = dict(value) if isinstance(value, Mapping) else value
    return values


class Factory:
    """Builds records; ``noise`` scales what seeds differ by."""

    def __init__(self) -> None:
        self.noise = 0.05
        self.offset = 0.0

    def plan(
        self, index: int, overrides: Mapping[str, Any], seed: int, base: Mapping[str, Any]
    ) -> PlannedTrial:
        values = nested({**base, **overrides})
        return PlannedTrial(
            index, dict(overrides), TrainConfig.parse({"num_epochs": 10, **values, "seed": seed})
        )

    def trial(
        self,
        overrides: Mapping[str, Any],
        seed: int = 0,
        state: TrialState = TrialState.COMPLETE,
        *,
        index: int = 0,
        base: Mapping[str, Any] | None = None,
        final: Mapping[str, float | None] | None = None,
        shared: bool = False,
    ) -> TrialRecord:
        plan = self.plan(index, overrides, seed, base or {})
        if state is TrialState.WAITING:
            return TrialRecord(plan, state)
        rng = np.random.default_rng(int(plan.key[:8], 16))
        epochs = plan.config.num_epochs if state is TrialState.COMPLETE else plan.config.num_epochs // 2
        history = self._history(plan.config, epochs, rng)
        numbers = self._final(plan.config, rng)
        for name, value in (final or {}).items():
            numbers.pop(name, None)
            if value is not None:
                numbers[name] = value
        timing = {"shared": shared, "reason": "4 trials on 2 cores" if shared else ""}
        attempt = Attempt(started=0.0, hostname="node-a", pid=1, from_epoch=0, provenance={})
        error = "NonFiniteError: loss became nan in epoch 5" if state is TrialState.FAILED else None
        done = numbers if state is TrialState.COMPLETE else None
        return TrialRecord(plan, state, history, done, error, (attempt,), timing, 100.0)

    def _history(self, config: TrainConfig, epochs: int, rng: np.random.Generator) -> tuple[EpochRecord, ...]:
        k, clock, rows = config.objective.num_samples, 0.0, []
        for epoch in range(1, epochs + 1):
            spent = FIXED + PER_SAMPLE * k + 2 * self.noise * abs(rng.normal())
            clock += spent
            nll = self._nll(config) + 0.6 + 60 * math.exp(-epoch / 2.5) + self.noise * rng.normal()
            rows.append(
                EpochRecord(
                    epoch,
                    clock,
                    {
                        "train/bound": -nll - 1,
                        "train/objective": -nll - 1,
                        "train/kl": 22.0,
                        "annealing/beta": min(1.0, epoch / 5),
                        "val/nll": nll,
                        "val/nll_stderr": 0.7,
                        "val/active_units": float(10 + epoch),
                        "val/ess": 5.0,
                        "time/train_seconds": clock,
                        "time/epoch_seconds": spent,
                        "throughput/examples_per_second": NUM_TRAIN / spent,
                        "system/peak_memory_bytes": 4e8 + 1.2e6 * k,
                        "system/memory_before_bytes": 3.9e8,
                    },
                )
            )
        return tuple(rows)

    def _nll(self, config: TrainConfig) -> float:
        k = config.objective.num_samples
        late = {"none": 0.0, "linear": -0.15, "cosine": -0.1, "sigmoid": -0.1, "cyclical": 0.25}
        size = 0.4 * abs(math.log(config.model.latent_dim / 30))
        return 90.6 + 3.2 / k**0.45 + late[config.annealing.name] + size + self.offset

    def _final(self, config: TrainConfig, rng: np.random.Generator) -> dict[str, float]:
        k, size = config.objective.num_samples, config.model.latent_dim
        nll = self._nll(config) + self.noise * rng.normal()
        few = 0.08 + 0.15 * math.log(k)
        numbers = {
            "val/nll_final": nll,
            "val/nll_final_stderr": 0.24,
            "val/nll_final_few": nll + few,
            "val/nll_final_few_stderr": 0.24,
            "test/nll": nll - 0.3 + self.noise * rng.normal(),
            "test/nll_stderr": 0.24,
            "test/elbo": -nll - 4,
            "test/bits_per_dim": nll / 784 / math.log(2),
            "test/active_units": float(min(size, 18 + round(2 * math.log(k) + rng.normal() / 3))),
            "test/active_units_kl": 20.0,
            "test/ess": 30 / math.sqrt(k) + rng.normal(),
            "gradient/encoder_snr": 0.45 / math.sqrt(k) + 0.02,
            "gradient/decoder_snr": 0.3 * math.sqrt(k),
            "gradient/snr_floor": 0.08,
            "gradient/encoder_snr_floor": 0.05,
            "gradient/decoder_snr_floor": 0.08,
        }
        numbers["test/nll_few"] = numbers["test/nll"] + few
        error = {
            name: 0.03 * (1 + 0.01 * self.noise * rng.normal()) / math.sqrt(size) for name in RECONSTRUCTION
        }
        if config.model.evidence == "none":
            return error
        if config.model.evidence != "estimate":
            numbers = {name: value for name, value in numbers.items() if not name.startswith("gradient/")}
        return {**numbers, **error}

    def sweep(
        self,
        configurations: Sequence[Mapping[str, Any]],
        seeds: Sequence[int] = (0, 1, 2),
        *,
        name: str = "k-tradeoff",
        base: Mapping[str, Any] | None = None,
        states: Mapping[int, TrialState] | None = None,
        sampler: str = "grid",
        **more: Any,
    ) -> SweepRecord:
        points = [(overrides, seed) for overrides in configurations for seed in seeds]
        trials = [
            self.trial(o, s, (states or {}).get(i, TrialState.COMPLETE), index=i, base=base, **more)
            for i, (o, s) in enumerate(points)
        ]
        return self.record(trials, name, sampler)

    def record(
        self, trials: Sequence[TrialRecord], name: str = "k-tradeoff", sampler: str = "grid"
    ) -> SweepRecord:
        spec = {"name": name, "search": {"metric": "val/nll_final", "sampler": {"name": sampler}}}
        return SweepRecord(name, "/storage", spec, {}, (), tuple(trials))

    def models(
        self, seeds: Sequence[int] = (0, 1, 2), which: slice = slice(None), **more: Any
    ) -> SweepRecord:
        """A sweep of models with K = 1: two VAEs, two with an exact likelihood, two without any."""
        base = {"data": GRAY, "objective.num_samples": 1}
        return self.sweep(MODELS[which], seeds, name="models", base=base, **more)

    def ks(self, *num_samples: int) -> list[dict[str, Any]]:
        return [{"objective.num_samples": k} for k in num_samples]

    def pictures(
        self, record: SweepRecord, shape: tuple[int, ...] = (28, 28)
    ) -> dict[str, dict[str, np.ndarray]]:
        rng = np.random.default_rng(0)
        kinds = ("samples", "reconstructions", "interpolation", "traversals")
        return {
            trial.key: {kind: rng.integers(0, 256, (8, 8, *shape), dtype=np.uint8) for kind in kinds}
            for trial in record.complete
        }

    def latent_map(self, classes: int = 0) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(0)
        made = {
            "latent_map": rng.normal(size=(60, 2)).astype(np.float32),
            "latent_axes": np.array(["latent unit 1", "latent unit 2"]),
        }
        if classes:
            made["classes"] = np.arange(60) % classes
            made["class_names"] = np.array([f"class {index}" for index in range(classes)])
        return made

    def features(self, count: int = 3, generates: bool = True) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(0)
        truth = rng.normal(size=(50, count)) * 10.0 ** (np.arange(count) % 3)
        made = {
            "reconstructed": np.stack((truth, 0.5 * truth)).astype(np.float32),
            "feature_names": np.array([f"$feature_{index}$" for index in range(count)]),
        }
        return {**made, "drawn": truth[::-1].astype(np.float32)} if generates else made
