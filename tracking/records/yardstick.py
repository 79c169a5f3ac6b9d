"""What a likelihood was measured on and with, and at how many samples it may rank configurations."""

from dataclasses import dataclass

from iwae.config.data import DataConfig
from tracking.records.records import TrialRecord

# Measured on the digits (K = 1, 5, 20, 50; two seeds): at 1 sample K = 1 looked better than K = 50, at 20
# samples K = 20 looked better than K = 50, from 50 on the order stayed and from 100 on all gaps to .05 nats.
FEWEST = 100
TIMES_K = 2


@dataclass(frozen=True)
class Yardstick:
    """What a likelihood was measured on and with; results of two yardsticks never share a table.

    Attributes:
        data: data set, split and binarization, without ``num_train``: how many images a model learned from
            is no part of what it is measured on, since validation and test stay the same.
        likelihood: ``bernoulli`` gives a probability, ``gaussian`` a density.
        final_num_samples: importance samples of the final −L.
        final_num_images: images of it; None is all.
        few_num_samples: importance samples of the second, smaller −L.
        content: hash of the images that it is measured on; empty where no record has it.
    """

    data: DataConfig
    likelihood: str
    final_num_samples: int
    final_num_images: int | None
    few_num_samples: int
    content: str = ""

    @classmethod
    def of(cls, trial: TrialRecord, content: str = "") -> "Yardstick":
        """The yardstick that a trial is measured with, on images with the hash ``content``."""
        config, evaluation = trial.config, trial.config.evaluation
        measured = config.data.model_copy(update={"num_train": None})
        return cls(
            measured,
            config.model.likelihood,
            evaluation.final_num_samples,
            evaluation.final_num_images,
            evaluation.few_num_samples,
            content,
        )

    @property
    def description(self) -> str:
        """The yardstick in words."""
        data = self.data
        words = [data.name if data.path is None else f"{data.name} {data.path}"]
        if self.content:
            words[0] += f" (SHA-256 {self.content[:8]}…)"
        words.append(
            f"{data.binarization} binarization" if data.binarization != "none" else "no binarization"
        )
        if data.num_validation is not None:
            words.append(f"{data.num_validation:,} validation images held out")
        images = (
            "all images" if self.final_num_images is None else f"the first {self.final_num_images:,} images"
        )
        words.append(f"{self.likelihood.capitalize()} likelihood")
        words.append(f"NLL = −L at {self.final_num_samples:,} samples on {images}")
        return ", ".join(words)


def fewest_final_samples(largest_k: int) -> int:
    """The least ``final_num_samples`` that ranks configurations trained with up to ``largest_k`` samples.

    −L at no more samples than a model was trained with is that model's training bound.
    """
    return max(FEWEST, TIMES_K * largest_k)
