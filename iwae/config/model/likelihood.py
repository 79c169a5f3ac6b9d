"""What p(x|z) may be; every family with a decoder has these fields."""

import json
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from iwae.config.model.part import Likelihood, ModelPart
from iwae.config.part import PartError

OutputBias = Literal["default", "zero", "train_mean"]
LEARNED = ("learned", "learned-per-feature")
LEAST, MOST = 1e-12, 1e12
Std = Annotated[float, Field(ge=LEAST, le=MOST)]
Stds = Annotated[tuple[Std, ...], Field(strict=False, min_length=1)]


class LikelihoodPart(ModelPart):
    """A model with a decoder.

    Attributes:
        likelihood: ``bernoulli`` for binary pixels, ``gaussian`` for real values (intensities in [0, 1] are
            bytes / 255), ``discretized-logistic`` for bytes.
        observation_std: standard deviation of the Gaussian likelihood in the units that the model sees: a
            number, or a list of one for every feature, used as they are; ``learned`` is one shared scalar,
            ``learned-per-feature`` one for every feature, both kept above 9.1e-4.
        logistic_scale: scale of the discretized logistic: ``learned`` is one shared scalar, ``predicted`` is
            given by the decoder for every pixel of every image, as in PixelCNN++.
    """

    later: ClassVar[frozenset[str]] = frozenset({"logistic_scale"})

    likelihood: Likelihood = "bernoulli"
    observation_std: Std | Stds | Literal["learned", "learned-per-feature"] = "learned"
    logistic_scale: Literal["learned", "predicted"] = "learned"

    @field_validator("observation_std", mode="before")
    @classmethod
    def _one_line_for_all_kinds(cls, value: Any) -> Any:
        """A union's own complaint would be about one of the kinds only."""
        numbers = value if isinstance(value, (list, tuple)) else [value]
        of_a_kind = value in LEARNED or (len(numbers) > 0 and all(map(_is_std, numbers)))
        if not of_a_kind:
            raise PartError(
                "",
                json.dumps(value, default=str),
                f"a number from {LEAST:g} to {MOST:g}, a list of one for every feature, learned or"
                " learned-per-feature",
            )
        return value

    @model_validator(mode="after")
    def _spread_belongs_to_its_likelihood(self) -> Self:
        if self.likelihood != "gaussian" and self.observation_std != "learned":
            given = self.observation_std
            shown = list(given) if isinstance(given, tuple) else given
            raise PartError("observation_std", shown, f"left out when likelihood is {self.likelihood}")
        if self.likelihood != "discretized-logistic" and self.logistic_scale != "learned":
            raise PartError(
                "logistic_scale", self.logistic_scale, f"left out when likelihood is {self.likelihood}"
            )
        return self

    @property
    def numbers_per_pixel(self) -> int:
        """What the decoder's last layer gives for every pixel."""
        return 2 if self.logistic_scale == "predicted" else 1

    def likelihood_parameters(self, num_pixels: int) -> int:
        """Parameters of the likelihood itself, beside the decoder's."""
        if self.likelihood == "gaussian":
            return {"learned": 1, "learned-per-feature": num_pixels}.get(str(self.observation_std), 0)
        return int(self.likelihood == "discretized-logistic" and self.logistic_scale == "learned")

    def likelihood_floats(self, num_pixels: int) -> int:
        """Numbers of a sample that the likelihood keeps for its gradient, with the last layer's output."""
        # The discretized logistic keeps both ends of every byte's bin, and their probabilities.
        return num_pixels * (self.numbers_per_pixel + (6 if self.likelihood == "discretized-logistic" else 0))


def _is_std(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and LEAST <= value <= MOST
