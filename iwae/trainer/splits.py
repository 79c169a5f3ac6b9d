"""The items of a run as they are trained on and measured on."""

from torch import Tensor

from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.data.items import Items
from iwae.data.load import suit
from iwae.data.pixels import evaluation_pixels, resident
from iwae.evaluation.evaluation import SAMPLES_PER_CHUNK
from iwae.noise import refuse_shared_noise


class Splits:
    """What a data set is to one configuration: binarized as it says, with what its model is told.

    Args:
        config: of the run.
        dataset: on the device.

    Attributes:
        train: resident items, binarized once or, under ``dynamic``, not yet.
        validation: as they are evaluated.
        train_pixels: ``[N, X]`` whose means an initialization may ask for.

    Raises:
        DataError: the data do not suit the likelihood.
    """

    def __init__(self, config: TrainConfig, dataset: Dataset) -> None:
        suit(dataset, config)
        self._config, self._dataset = config, dataset
        binarization = config.data.binarization
        values = resident(dataset.train, binarization, "train")
        self.train = self._told(values, "train")
        # A Bernoulli sample has the mean of its intensities; rounded pixels have another one.
        self.train_pixels = values if binarization == "threshold" else dataset.train
        self.validation = self.evaluated("validation")

    def evaluated(self, split: str) -> Items:
        """The items of a split as they are evaluated."""
        values = evaluation_pixels(getattr(self._dataset, split), self._config.data.binarization, split)
        return self._told(values, split)

    def identity(self) -> dict[str, str]:
        """Hashes of all that was read."""
        identity = {"data hash": self._dataset.content_hash}
        if self._config.model.conditional:
            identity["labels' hash"] = self._dataset.told_hash
        return identity

    def refuse_shared_noise(self) -> None:
        """Refuses an evaluation with more samples than there is noise for.

        Raises:
            ConfigError: as it says.
        """
        config, chunk = self._config.evaluation, SAMPLES_PER_CHUNK[self.train.device.type]
        size = max(len(self._dataset.validation), len(self._dataset.test))
        curve, final = (min(size, most or size) for most in (config.num_images, config.final_num_images))
        refuse_shared_noise("evaluation.num_samples", curve, config.num_samples, chunk)
        refuse_shared_noise("evaluation.final_num_samples", final, config.final_num_samples, chunk)

    def _told(self, values: Tensor, split: str) -> Items:
        if not self._config.model.conditional:
            return Items(values)
        return Items(values, self._dataset.told(split))
