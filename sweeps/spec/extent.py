"""The largest K and the fewest final samples of a sweep, and whether they can rank its trials."""

from typing import NamedTuple

from iwae.errors import ConfigError
from tracking.records.comparable.yardstick import fewest_final_samples


class Extent(NamedTuple):
    """The largest K of a sweep's configurations, and the fewest samples that one is evaluated with.

    Attributes:
        largest_k: importance samples of a training step.
        final_num_samples: importance samples of the final likelihood.
    """

    largest_k: int
    final_num_samples: int

    @property
    def ranks(self) -> bool:
        """Whether the final likelihood has enough samples to rank by."""
        return self.final_num_samples >= fewest_final_samples(self.largest_k)

    def refuse_few_samples(self) -> None:
        """Check that it has.

        Sweeps from before this limit may continue; their report says that they rank nothing.

        Raises:
            ConfigError: it has not.
        """
        if not self.ranks:
            raise ConfigError(
                "base.evaluation.final_num_samples",
                f"{self.final_num_samples} is not allowed: must be >= {fewest_final_samples(self.largest_k)}"
                f" to rank trials with K up to {self.largest_k}: with few samples -L is a training bound,"
                " which flatters small K",
            )
