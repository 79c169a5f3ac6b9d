"""What configurations were measured on and with, and at how many samples a likelihood may rank them."""

from dataclasses import dataclass

from iwae.config.data import DataConfig
from iwae.config.train import TrainConfig
from tracking.records.comparable.score import Score, score_of

# Measured on the digits (K = 1, 5, 20, 50; two seeds): at 1 sample K = 1 looked better than K = 50, at 20
# samples K = 20 looked better than K = 50, from 50 on the order stayed and from 100 on all gaps to .05 nats.
FEWEST = 100
TIMES_K = 2


# What a likelihood is a probability of, in words.
MEASURES = {"binary": "binary pixels", "byte": "bytes", "density": "a density"}


@dataclass(frozen=True)
class Yardstick:
    """What configurations were measured on and with; results of two yardsticks never share a table.

    Attributes:
        data: data set, split, binarization, scaling, dequantization; without ``num_train``: how many images a
            model learned from is no part of what it is measured on: validation and test stay the same.
        measure: what an NLL is a probability of: ``binary`` pixels, ``byte`` or a ``density``.
        conditional: whether it is that of x given y.
        score: likelihood, or reconstruction error where models have none.
        final_num_samples: importance samples of the final −L.
        final_num_images: images of it; None is all.
        few_num_samples: importance samples of the second, smaller −L.
        content: hash of the images that it is measured on; empty where no record has it.
    """

    data: DataConfig
    measure: str
    conditional: bool
    score: Score
    final_num_samples: int
    final_num_images: int | None
    few_num_samples: int
    content: str = ""

    @classmethod
    def of(cls, config: TrainConfig, content: str = "") -> "Yardstick":
        """The yardstick that a trial is measured with, on images with the hash ``content``."""
        evaluation = config.evaluation
        return cls(
            config.data.model_copy(update={"num_train": None}),
            config.measure,
            config.model.conditional,
            score_of(config),
            evaluation.final_num_samples,
            evaluation.final_num_images,
            evaluation.few_num_samples,
            content,
        )

    @property
    def measured(self) -> str:
        """What ranks, in words: ``NLL of binary pixels``."""
        return f"{self.score.name} of {MEASURES[self.measure]}{' given y' * self.conditional}"

    @property
    def description(self) -> str:
        """The yardstick in words."""
        data = self.data
        words = [data.name if data.path is None else f"{data.name} {data.path}"]
        if self.content:
            words[0] += f" (SHA-256 {self.content[:8]}…)"
        words += _treatment(data)
        if data.num_validation is not None:
            words.append(f"{data.num_validation:,} validation images held out")
        images = (
            "all images" if self.final_num_images is None else f"the first {self.final_num_images:,} images"
        )
        if not self.score.is_likelihood:
            return ", ".join([*words, f"mean squared error of reconstructions on {images}"])
        words.append(f"{self.measured} = −L at {self.final_num_samples:,} samples on {images}")
        return ", ".join(words)


def _treatment(data: DataConfig) -> list[str]:
    """What was done to the data, in words."""
    words = [f"{data.binarization} binarization"] if data.binarization != "none" else []
    if (scaling := getattr(data, "scaling", "none")) != "none":
        words.append({"standardize": "standardized"}.get(scaling, f"{scaling} scaling"))
    if (noise := getattr(data, "dequantization", "none")) != "none":
        words.append(f"{noise} dequantization")
    return words or ["no binarization"]


def fewest_final_samples(largest_k: int) -> int:
    """The least ``final_num_samples`` that ranks configurations trained with up to ``largest_k`` samples.

    −L at no more samples than a model was trained with is that model's training bound.
    """
    return max(FEWEST, TIMES_K * largest_k)
