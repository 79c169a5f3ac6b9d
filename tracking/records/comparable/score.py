"""What a trial is ranked by: the likelihood, or the reconstruction error where a model has no likelihood."""

from dataclasses import dataclass

from iwae.config.train import TrainConfig
from tracking.statistics.numbers import Ends, between, measured, minus, nats, number


@dataclass(frozen=True)
class Score:
    """A number of which less is better; numbers of two scores are never compared.

    Attributes:
        final: the metric that ranks, on validation data.
        test: the same on test data, which ranks nothing.
        curve: the metric of an epoch.
        column: of tables, on validation data.
        test_column: on test data.
        name: what it is called behind "validation" and "test".
        short: the same in a narrow column.
        unit: behind an amount; empty where it has none.
    """

    final: str
    test: str
    curve: str
    column: str
    test_column: str
    name: str
    short: str
    unit: str

    @property
    def is_likelihood(self) -> bool:
        """Whether it is a negative log-likelihood."""
        return self is LIKELIHOOD or self == LIKELIHOOD

    @property
    def title(self) -> str:
        """Its name with its unit: ``NLL, nats``."""
        return self.name + self.in_unit

    @property
    def in_unit(self) -> str:
        """Its unit behind a comma, for a heading; empty where it has none."""
        return f", {self.unit}" if self.unit else ""

    def show(self, value: float) -> str:
        """A value without its unit: nats to the hundredth, an error to three digits."""
        return nats(value) if self.is_likelihood else number(value)

    def precise(self, value: float) -> str:
        """A single run's value without its unit: nats to the thousandth, an error to four digits."""
        return f"{value:.3f}" if self.is_likelihood else f"{value:.4g}"

    def spread(self, value: float, ends: Ends) -> str:
        """A mean with half the width of its interval, if it has one: ``85.30 ± 0.12``."""
        if ends is None:
            return self.show(value)
        half = ends[1] - value
        if self.is_likelihood:
            return f"{nats(value)} ± {nats(half)}"
        shown = measured(value, ends)[0]
        return f"{shown} ± {half:.{len(shown.partition('.')[2])}f}"

    def amount(self, value: float) -> str:
        """A value with its unit."""
        return f"{self.show(value)} {self.unit}".rstrip()

    def signed(self, value: float) -> str:
        """A difference with its sign."""
        return ("+" if value >= 0 else "") + minus(self.show(value))

    def between(self, ends: Ends) -> str:
        """An interval in brackets; empty where there is none."""
        return between(ends, "nats" if self.is_likelihood else "number")


LIKELIHOOD = Score("val/nll_final", "test/nll", "val/nll", "val_nll_final", "test_nll", "NLL", "NLL", "nats")
RECONSTRUCTION = Score(
    "val/reconstruction_mse_final",
    "test/reconstruction_mse",
    "val/reconstruction_mse",
    "val_reconstruction_mse",
    "test_reconstruction_mse",
    "reconstruction error",
    "MSE",
    "",
)
SCORES = (LIKELIHOOD, RECONSTRUCTION)

# What an NLL is, by ``config.model.evidence``.
EVIDENCE = {"estimate": "estimate", "bound": "upper bound", "exact": "exact", "none": ""}


def score_of(config: TrainConfig) -> Score:
    """What trials of a configuration are ranked by."""
    return RECONSTRUCTION if config.model.evidence == "none" else LIKELIHOOD
