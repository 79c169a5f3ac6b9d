"""Trains one configuration: Trainer(config).epochs() yields what was measured after every epoch."""

import copy
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from iwae import objectives
from iwae.annealing import AnnealingSchedule
from iwae.binarization import evaluation_pixels, intensities, minibatch, refuse_gray, resident
from iwae.config import TrainConfig
from iwae.data import Dataset, load_dataset
from iwae.errors import ConfigError, NonFiniteError, RecordError, Stopped
from iwae.evaluation import Evaluation, evaluate
from iwae.generators import generator
from iwae.gradient_snr import GradientSnr, gradient_snr
from iwae.model import VAE
from iwae.optimizer import build_optimizer, learning_rate
from iwae.stopwatch import Stopwatch, peak_memory_bytes
from iwae.weights import load, weights_bytes

__all__ = ["EpochMetrics", "Progress", "Stopped", "Trainer", "load"]

# Summed over images while an epoch trains, in the order in which a NaN is looked for.
TERMS = ("log_p_x_given_z", "log_p_z", "log_q_z_given_x", "kl", "bound", "objective")


@dataclass(frozen=True)
class EpochMetrics:
    """What was measured after an epoch.

    Attributes:
        epoch: completed epochs, from 1.
        metrics: values under their MLflow names; likelihoods in nats, times in seconds.
        wall_time: seconds since the Unix epoch.
    """

    epoch: int
    metrics: dict[str, float]
    wall_time: float


class Progress(NamedTuple):
    """Where a trainer is: ``phase`` is ``training``, ``evaluating`` or ``final evaluation``.

    ``fraction`` counts the optimizer steps of the whole training, ``phase_fraction`` the current epoch's
    steps or the current evaluation.
    """

    phase: str
    epoch: int
    num_epochs: int
    fraction: float
    phase_fraction: float


class Trainer:
    """One training run, from wherever its state is to the end.

    Same configuration, device kind and threads: same bits, interrupted and resumed or not.

    Args:
        config: what to train.
        dataset: the data set, where the caller has it already; None loads the one that ``config`` names.

    Raises:
        DataError: the data set cannot be loaded, or is gray where the likelihood needs 0 or 1.
        ConfigError: the device is not there.
    """

    def __init__(self, config: TrainConfig, dataset: Dataset | None = None) -> None:
        self.config = config
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        self.device = _device(config.device)
        self.dataset = (load_dataset(config.data) if dataset is None else dataset).to(self.device)
        binarization = config.data.binarization
        if config.model.likelihood == "bernoulli" and binarization == "none":
            for split in (self.dataset.train, self.dataset.validation, self.dataset.test):
                refuse_gray(split, self.dataset.name)
        self._train = resident(self.dataset.train, binarization, "train")
        self._validation = evaluation_pixels(self.dataset.validation, binarization, "validation")
        self.model = VAE(
            config.model,
            self.dataset.num_pixels,
            generator=generator(config.seed, "initialization"),
            train_pixels=self.dataset.train,
        ).to(self.device)
        self._optimizer = build_optimizer(config.optimizer, self.model.parameters())
        self._annealing = AnnealingSchedule(config)
        self._data_generator = generator(config.seed, "data", self.device)
        self._noise_generator = generator(config.seed, "noise", self.device)
        self._steps_per_epoch = math.ceil(len(self._train) / config.batch_size)
        self.epoch = 0
        self._batch = 0
        self._permutation: Tensor | None = None
        self._sums = torch.zeros(len(TERMS), dtype=torch.float64, device=self.device)
        self._stopwatch = Stopwatch(self.device)
        self._stop = threading.Event()
        self._phase, self._evaluated = "training", 0.0

    @property
    def num_steps(self) -> int:
        """Optimizer steps of the whole training."""
        return self._steps_per_epoch * self.config.num_epochs

    @property
    def steps(self) -> int:
        """Optimizer steps done."""
        return self.epoch * self._steps_per_epoch + self._batch

    @property
    def timing_shared(self) -> bool:
        """Whether training had to share its cores: its seconds are then no measurement of its cost."""
        return self._stopwatch.contended

    @property
    def progress(self) -> Progress:
        """Where the trainer is; may be read from another thread."""
        phase, epoch, batch = self._phase, self.epoch, self._batch
        done = (epoch * self._steps_per_epoch + batch) / self.num_steps
        in_phase = batch / self._steps_per_epoch if phase == "training" else self._evaluated
        return Progress(phase, epoch, self.config.num_epochs, min(1.0, done), in_phase)

    def stop(self) -> None:
        """Ends ``epochs()`` or ``finish()`` at the next step or block; may be called from another thread.

        ``state_dict()`` then holds the position, and a trainer that loads it goes on as if nothing had been.
        """
        self._stop.set()

    def epochs(self) -> Iterator[EpochMetrics]:
        """Trains the epochs that are left, and yields after each. Returns early after ``stop()``.

        Raises:
            NonFiniteError: a term or a parameter became NaN or infinite, found at the end of its epoch.
        """
        while self.epoch < self.config.num_epochs:
            try:
                self._train_epoch()
                metrics = self._epoch_metrics()
            except Stopped:
                return
            self.epoch += 1
            self._batch, self._permutation = 0, None
            self._sums.zero_()
            self._stopwatch.epoch_seconds = 0.0
            yield EpochMetrics(self.epoch, metrics, time.time())

    def finish(self) -> dict[str, float]:
        """The final evaluation, under MLflow names. The only place that touches test data.

        Raises:
            Stopped: after ``stop()``; call it again on a trainer that loads this one's state.
            NonFiniteError: a log-weight is NaN or infinite.
        """
        evaluation = self.config.evaluation
        samples, images = evaluation.final_num_samples, evaluation.final_num_images
        binarization = self.config.data.binarization
        validation = self._evaluate(self._validation[:images], samples, "final evaluation", "validation")
        test_pixels = evaluation_pixels(self.dataset.test, binarization, "test")
        test = self._evaluate(test_pixels[:images], samples, "final evaluation", "test")
        metrics = {
            "val/nll_final": validation.nll,
            "val/nll_final_stderr": validation.nll_stderr,
            "val/nll_final_few": validation.nll_few,
            "test/nll": test.nll,
            "test/nll_stderr": test.nll_stderr,
            "test/nll_few": test.nll_few,
            "test/elbo": test.elbo,
            "test/bits_per_dim": test.bits_per_dim,
            "test/active_units": float(test.active_units),
            "test/active_units_kl": float(test.active_units_kl),
            "test/ess": test.ess,
        }
        if evaluation.snr_num_draws > 0:
            snr = self._gradient_snr(evaluation.snr_num_draws)
            metrics["gradient/encoder_snr"] = snr.encoder
            metrics["gradient/decoder_snr"] = snr.decoder
            metrics["gradient/snr_floor"] = snr.floor
        return metrics

    def weights(self) -> bytes:
        """The model as the content of a safetensors file; ``load`` reads it."""
        return weights_bytes(self.model, self.config)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rest of the training depends on, a copy; fit for ``torch.load(weights_only=True)``."""
        return copy.deepcopy(
            {
                "key": self.config.key,
                "content_hash": self.dataset.content_hash,
                "device": self.device.type,
                "epoch": self.epoch,
                "batch": self._batch,
                "permutation": self._permutation,
                "sums": self._sums,
                "model": dict(self.model.state_dict()),
                "optimizer": self._optimizer.state_dict(),
                "data_generator": self._data_generator.get_state(),
                "noise_generator": self._noise_generator.get_state(),
                "stopwatch": self._stopwatch.state_dict(),
            }
        )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from ``state``.

        Raises:
            RecordError: the state is of another configuration, data set or kind of device.
        """
        ours = {"key": self.config.key, "content_hash": self.dataset.content_hash, "device": self.device.type}
        names = {"key": "configuration", "content_hash": "data set", "device": "kind of device"}
        for name, value in ours.items():
            if state[name] != value:
                raise RecordError(f"the saved state is of another {names[name]}: {state[name]}, not {value}")
        self.epoch, self._batch = state["epoch"], state["batch"]
        permutation = state["permutation"]
        self._permutation = None if permutation is None else permutation.to(self.device)
        self._sums.copy_(state["sums"])
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self._data_generator.set_state(state["data_generator"].cpu())
        self._noise_generator.set_state(state["noise_generator"].cpu())
        self._stopwatch.load_state_dict(state["stopwatch"])

    def _train_epoch(self) -> None:
        """The steps of the current epoch that are left."""
        self._phase = "training"
        with self._stopwatch.running():
            if self._permutation is None:
                self._permutation = torch.randperm(
                    len(self._train), generator=self._data_generator, device=self.device
                )
            size = self.config.batch_size
            while self._batch < self._steps_per_epoch:
                if self._stop.is_set():
                    raise Stopped
                self._train_step(self._permutation[self._batch * size : (self._batch + 1) * size])
                self._batch += 1

    def _weights(self, fraction: float) -> dict[str, float]:
        """β and λ after this fraction of all steps."""
        weights = {"beta": self.config.objective.beta, "entropy_weight": 1.0}
        weights[self._annealing.target] = self._annealing(fraction)
        return weights

    def _train_step(self, indices: Tensor) -> None:
        config = self.config
        step = self.epoch * self._steps_per_epoch + self._batch
        weights = self._weights(step / self.num_steps)
        x = minibatch(self._train.index_select(0, indices), config.data.binarization, self._data_generator)
        terms = self.model.log_densities(x, config.objective.num_samples, generator=self._noise_generator)
        objective = objectives.objective(config.objective, terms, **weights)
        loss = -objective.mean() if config.optimizer.reduction == "mean" else -objective.sum()
        self._optimizer.zero_grad()
        loss.backward()
        if config.optimizer.clip_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.optimizer.clip_grad_norm)
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(config.optimizer, step, self._steps_per_epoch, self.num_steps)
        self._optimizer.step()
        self._add_terms(terms, objective)

    @torch.no_grad()
    def _add_terms(self, terms: objectives.LogDensities, objective: Tensor) -> None:
        bound = objectives.bound(self.config.objective, terms)
        sampled = torch.stack(terms[:3]).mean(1).sum(1)
        assert terms.kl is not None
        self._sums += torch.cat((sampled, torch.stack((terms.kl.sum(), bound.sum(), objective.sum()))))

    def _epoch_metrics(self) -> dict[str, float]:
        means = dict(zip(TERMS, (self._sums / len(self._train)).tolist(), strict=True))
        for name, tensor in self.model.named_parameters():
            means[f"parameter {name}"] = float(tensor.detach().sum())
        for term, value in means.items():
            if not math.isfinite(value):
                raise NonFiniteError(self.epoch + 1, term, value)
        target = self._annealing.target
        last_step = (self.epoch + 1) * self._steps_per_epoch - 1
        metrics = {
            "train/bound": means["bound"],
            "train/objective": means["objective"],
            "train/kl": means["kl"],
            "train/reconstruction": means["log_p_x_given_z"],
            f"annealing/{target}": self._weights(last_step / self.num_steps)[target],
            "time/train_seconds": self._stopwatch.train_seconds,
            "time/epoch_seconds": self._stopwatch.epoch_seconds,
            "throughput/examples_per_second": len(self._train) / self._stopwatch.epoch_seconds,
        }
        evaluation, epoch = self.config.evaluation, self.epoch + 1
        if epoch % evaluation.every == 0 or epoch == self.config.num_epochs:
            images = self._validation[: evaluation.num_images]
            measured = self._evaluate(images, evaluation.num_samples, "evaluating", "validation")
            metrics["val/nll"] = measured.nll
            metrics["val/nll_stderr"] = measured.nll_stderr
            metrics["val/active_units"] = float(measured.active_units)
            metrics["val/ess"] = measured.ess
        metrics["system/peak_memory_bytes"] = float(peak_memory_bytes(self.device))
        return metrics

    def _evaluate(self, images: Tensor, num_samples: int, phase: str, split: str) -> Evaluation:
        self._phase, self._evaluated = phase, 0.0
        try:
            return evaluate(
                self.model,
                images,
                num_samples,
                few_num_samples=self.config.evaluation.few_num_samples,
                purpose=split,
                stopped=self._stop.is_set,
                progress=lambda fraction: setattr(self, "_evaluated", fraction),
            )
        except NonFiniteError as error:
            epoch = min(self.epoch + 1, self.config.num_epochs)
            raise NonFiniteError(epoch, error.term, error.value) from None

    def _gradient_snr(self, num_draws: int) -> GradientSnr:
        """Of the objective at its end weight, at the first training images, binarized as for evaluation."""
        config = self.config
        images = evaluation_pixels(
            self.dataset.train[: config.batch_size], config.data.binarization, "gradient"
        )
        x, source = intensities(images), generator(config.seed, "gradient", self.device)

        def draw() -> Tensor:
            if self._stop.is_set():
                raise Stopped
            terms = self.model.log_densities(x, config.objective.num_samples, generator=source)
            return objectives.objective(config.objective, terms, **self._weights(1.0)).mean()

        groups = {"encoder": self.model.encoder, "decoder": self.model.decoder}
        parameters = {name: list(part.parameters()) for name, part in groups.items()}
        return gradient_snr(parameters, (draw for _ in range(num_draws)), num_draws)


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device", "cuda is not allowed: must be cpu or auto, there is no CUDA device here")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
