"""EvaluationConfig: what is measured, on how much."""

from typing import Self

from pydantic import Field, model_validator

from iwae.config.limits import Count, EvaluationSamples, Images
from iwae.config.part import Part, PartError


class EvaluationConfig(Part):
    """What is measured, on how much. Left-out values get the data set's default (``CATALOGUE``).

    Attributes:
        every: epochs between evaluations on validation data; the last epoch is always evaluated.
        num_samples: importance samples of the per-epoch ``val/nll``.
        num_images: validation images of the per-epoch evaluation, the first so many; null is all.
        final_num_samples: importance samples of the final −L on validation and test data.
        final_num_images: images of each final evaluation, the first so many; null is all.
        few_num_samples: the smaller number of samples at which the final −L is printed as well.
        snr_num_draws: N, gradient draws of the final gradient signal-to-noise ratio; 0 leaves it out.
    """

    every: Count = 1
    num_samples: EvaluationSamples = 100
    num_images: Images | None = 1000
    final_num_samples: EvaluationSamples = 5000
    final_num_images: Images | None = None
    few_num_samples: EvaluationSamples = 100
    snr_num_draws: int = Field(default=100, ge=0, le=10**6)

    @model_validator(mode="after")
    def _few_is_not_more(self) -> Self:
        if self.few_num_samples > self.final_num_samples:
            limit = f"<= final_num_samples ({self.final_num_samples})"
            raise PartError("few_num_samples", self.few_num_samples, limit)
        return self

    @model_validator(mode="after")
    def _a_floor_needs_three_draws(self) -> Self:
        # With two draws |mean| / sd around 0 has no expectation.
        if self.snr_num_draws in (1, 2):
            raise PartError("snr_num_draws", self.snr_num_draws, "0 (leave it out) or >= 3")
        return self
