"""Trains one configuration: Trainer(config).epochs() yields what was measured after every epoch."""

import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.data.items import Items
from iwae.data.load import load_dataset
from iwae.data.pixels import evaluation_pixels, intensities
from iwae.epoch import EpochRecord
from iwae.errors import CheckpointError, NonFiniteError, Stopped
from iwae.evaluation.gradient_snr import GradientSnr, gradient_snr
from iwae.evaluation.image_likelihoods import image_likelihoods
from iwae.evaluation.latent_use import latent_use
from iwae.evaluation.measure import Measured, measure
from iwae.model.build import build_model
from iwae.model.protocol import LatentModel
from iwae.model.weights import load as load
from iwae.model.weights import weights_bytes
from iwae.objectives.objective import Surrogates
from iwae.randomness import generator
from iwae.trainer.choice import optimization_of
from iwae.trainer.machine import (
    device_named,
    keep_freed_memory,
    memory_bytes,
    peak_memory_bytes,
    reset_peak_memory,
)
from iwae.trainer.metrics import Progress, final_metrics, train_metrics, true_metrics, validation_metrics
from iwae.trainer.optimization import Optimization
from iwae.trainer.splits import Splits
from iwae.trainer.stopwatch import Stopwatch

__all__ = ["Progress", "Stopped", "Trainer", "load"]


class FinalEvaluation(NamedTuple):
    """What is measured once, at the end.

    Attributes:
        metrics: by MLflow name; likelihoods in nats.
        images: log p̂ of every image, as ``iwae.evaluation.image_likelihoods`` lays it out.
    """

    metrics: dict[str, float]
    images: dict[str, np.ndarray]


class Trainer:
    """One training run, from wherever its state is to the end.

    Same configuration, device kind and threads: same bits, interrupted and resumed or not.

    Args:
        config: what to train.
        dataset: the data set, where the caller has it already; None loads the one that ``config`` names.

    Attributes:
        device: of the model and the data.
        model: what is trained.
        dataset: on the device.
        stopwatch: its seconds of training.

    Raises:
        DataError: the data set cannot be loaded, or does not suit the likelihood.
        ConfigError: the device is not there, or the evaluation has more samples than noise for them.
    """

    def __init__(self, config: TrainConfig, dataset: Dataset | None = None) -> None:
        self.config = config
        keep_freed_memory()
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        self.device = device_named(config.device)
        self.dataset = (load_dataset(config.data) if dataset is None else dataset).to(self.device)
        self._splits = Splits(config, self.dataset)
        self.model = build_model(
            config,
            self.dataset.layout,
            generator=generator(config.seed, "initialization"),
            train_pixels=self._splits.train_pixels,
        ).to(self.device)
        self._splits.refuse_shared_noise()
        self._optimization = optimization_of(config, self.model, self._splits)
        self.stopwatch = Stopwatch(self.device)
        reset_peak_memory(self.device)
        self._memory_before = memory_bytes(self.device)
        self._stop = threading.Event()
        self._phase, self._evaluated = "training", 0.0

    @property
    def epoch(self) -> int:
        """Completed epochs."""
        return self._optimization.epoch

    @property
    def steps(self) -> int:
        """Optimizer steps done."""
        return self._optimization.steps

    @property
    def timing_shared(self) -> bool:
        """Whether training had to share its cores: its seconds are then no measurement of its cost."""
        return self.stopwatch.contended

    @property
    def progress(self) -> Progress:
        """Where the trainer is; may be read from another thread."""
        phase, epoch, batch = self._phase, self._optimization.epoch, self._optimization.batch
        per_epoch = self._optimization.steps_per_epoch
        done = min(1.0, (epoch * per_epoch + batch) / self._optimization.num_steps)
        in_phase = batch / per_epoch if phase == "training" else self._evaluated
        return Progress(phase, epoch, self.config.num_epochs, done, in_phase)

    @property
    def stopping(self) -> bool:
        """Whether ``stop()`` was called."""
        return self._stop.is_set()

    def join(self) -> Optimization:
        """The optimization, for a pack to make the steps of the current epoch; see ``iwae.pack``."""
        assert isinstance(self._optimization, Optimization)
        self._phase = "training"
        return self._optimization

    def stop(self) -> None:
        """Ends ``epochs()`` or ``finish()`` at the next step or block; may be called from another thread.

        ``state_dict()`` then holds the position, and a trainer that loads it goes on as if nothing had been.
        """
        self._stop.set()

    def epochs(self) -> Iterator[EpochRecord]:
        """Trains the epochs that are left, and yields after each. Returns early after ``stop()``.

        Raises:
            NonFiniteError: a term or a parameter became NaN or infinite, found at the end of its epoch.
        """
        self._optimization.warm_up()
        while self.epoch < self.config.num_epochs:
            try:
                self._train_epoch()
                metrics = self._epoch_metrics()
            except Stopped:
                return
            self._optimization.end_epoch()
            self.stopwatch.epoch_seconds = 0.0
            yield EpochRecord(self.epoch, time.time(), metrics)

    def finish(self) -> dict[str, float]:
        """The numbers of the final evaluation, under MLflow names.

        Raises:
            Stopped: after ``stop()``; call it again on a trainer that loads this one's state.
            NonFiniteError: a log-weight is NaN or infinite.
        """
        return self.final_evaluation().metrics

    def final_evaluation(self) -> FinalEvaluation:
        """The final evaluation. The only place that measures on test data.

        Raises:
            Stopped: after ``stop()``; call it again on a trainer that loads this one's state.
            NonFiniteError: a log-weight is NaN or infinite.
        """
        config = self.config.evaluation
        splits = {"validation": self._splits.validation, "test": self.items("test")}
        shown = {split: items[: config.final_num_images] for split, items in splits.items()}
        evaluated = {
            split: (items, self._evaluate(items, config.final_num_samples, split))
            for split, items in shown.items()
        }
        draws = self.config.gradient_draws
        snr = self.gradient_snr(draws) if draws > 0 else None
        metrics = final_metrics(evaluated["validation"][1], evaluated["test"][1], snr)
        if isinstance(self.model, LatentModel) and self.config.model.evidence != "none":
            metrics |= latent_use(self.model, shown["validation"]).metrics("val")
        metrics |= true_metrics(self.dataset, shown)
        return FinalEvaluation(metrics, image_likelihoods(self.config, evaluated))

    def weights(self) -> bytes:
        """The model as the content of a safetensors file; ``load`` reads it."""
        return weights_bytes(self.model, self.config, self.dataset.scaling)

    def items(self, split: str) -> Items:
        """The items of ``validation`` or ``test`` as they are evaluated."""
        return self._splits.evaluated(split)

    def state_dict(self) -> dict[str, Any]:
        """A copy of all that the rest of the training depends on, for ``torch.load(weights_only=True)``."""
        return {
            **self._identity(),
            "optimization": self._optimization.state_dict(),
            "stopwatch": self.stopwatch.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from ``state``.

        Raises:
            CheckpointError: the state is of another configuration, data set or kind of device.
        """
        for name, ours in self._identity().items():
            if state.get(name) != ours:
                raise CheckpointError(f"the saved state has another {name}: {state.get(name)}, not {ours}")
        self._optimization.load_state_dict(state["optimization"])
        self.stopwatch.load_state_dict(state["stopwatch"])

    def _identity(self) -> dict[str, str]:
        """What a state must agree in: bits are the same only on the same kind of device."""
        return {"trial key": self.config.key, **self._splits.identity(), "device": self.device.type}

    def _train_epoch(self) -> None:
        """The steps of the current epoch that are left."""
        self._phase = "training"
        with self.stopwatch.running():
            while self._optimization.batch < self._optimization.steps_per_epoch:
                if self._stop.is_set():
                    raise Stopped
                self._optimization.step()

    def _epoch_metrics(self) -> dict[str, float]:
        optimization, seconds = self._optimization, self.stopwatch.epoch_seconds
        means = optimization.epoch_means()
        target = optimization.annealing.target
        metrics = {
            **train_metrics(means, self.config.model.evidence, self.dataset.log_determinant),
            f"annealing/{target}": optimization.weights(optimization.steps - 1)._asdict()[target],
            "time/train_seconds": self.stopwatch.train_seconds,
            "time/epoch_seconds": seconds,
            "throughput/examples_per_second": len(self.dataset.train) / seconds,
        }
        config, epoch = self.config.evaluation, self.epoch + 1
        if epoch % config.every == 0 or epoch == self.config.num_epochs:
            items = self._splits.validation[: config.num_images]
            metrics |= validation_metrics(self._evaluate(items, config.num_samples, "validation"))
            metrics |= self.model.extra_metrics(items.inputs())
        metrics["system/peak_memory_bytes"] = float(peak_memory_bytes(self.device))
        if self._memory_before is not None:
            metrics["system/memory_before_bytes"] = float(self._memory_before)
        return metrics

    def _evaluate(self, items: Items, num_samples: int, split: str) -> Measured:
        final = self.epoch == self.config.num_epochs
        self._phase, self._evaluated = "final evaluation" if final else "evaluating", 0.0

        def report(fraction: float) -> None:
            self._evaluated = fraction

        try:
            return measure(
                self.model,
                items,
                num_samples,
                few_num_samples=self.config.evaluation.few_num_samples,
                scaling=self.dataset.scaling,
                reconstruct=final,
                purpose=split,
                stopped=self._stop.is_set,
                progress=report,
            )
        except NonFiniteError as error:
            epoch = self.epoch if final else self.epoch + 1
            raise NonFiniteError(epoch, error.term, error.value) from None

    def gradient_snr(self, num_draws: int) -> GradientSnr:
        """Of the objective at its end weight, at the first images trained on; of dynamic ones one sample.

        Raises:
            Stopped: after ``stop()``.
        """
        config, first = self.config, self._splits.train[: self.config.batch_size]
        pixels = evaluation_pixels(first.values, config.data.binarization, "gradient")
        x = first.beside(intensities(pixels))
        optimization, model = self._optimization, self.model
        assert isinstance(optimization, Optimization)
        assert isinstance(model, LatentModel)
        source = generator(config.seed, "gradient", self.device)
        weights = optimization.weights(optimization.num_steps)

        def draw() -> Surrogates:
            if self._stop.is_set():
                raise Stopped
            return optimization.surrogates(x, weights, source)

        return gradient_snr(model.groups(), (draw for _ in range(num_draws)), num_draws)
