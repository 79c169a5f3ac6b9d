"""Kinds of numbers in a configuration, each with its limits."""

from typing import Annotated

from pydantic import Field

# Beyond these no machine holds the weights, or the log-weights of a single image with their activations.
MAX_WIDTH = 100_000
MAX_SAMPLES = 100_000
MAX_EVALUATION_SAMPLES = 10_000_000

Count = Annotated[int, Field(ge=1, le=10**9)]
Width = Annotated[int, Field(ge=1, le=MAX_WIDTH)]
Widths = Annotated[tuple[Width, ...], Field(strict=False)]
EvaluationSamples = Annotated[int, Field(ge=1, le=MAX_EVALUATION_SAMPLES)]
Images = Annotated[int, Field(ge=2, le=10**9)]
Counts = Annotated[tuple[Count, ...], Field(strict=False)]
FloatTuple = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(strict=False)]
