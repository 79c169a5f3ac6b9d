"""log p̂ of every image of a trial's final evaluation, read again, and two trials compared image by image.

A complete trial has them in its run as ``evaluation/likelihoods.npz``, and in storage in its last unit:

    first, second = (read_likelihoods(storage.trial(key).newest().likelihoods) for key in keys)
    paired_test(first, second, "test")
"""

import io
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from scipy import special

from tracking.errors import RecordError

CONFIDENCE = 0.95


class PairedTest(NamedTuple):
    """How much likelier the images are under the second model than under the first, in nats an image.

    Attributes:
        difference: mean over images of log p̂ of the second minus log p̂ of the first; an NLL lower by as much.
        stderr: standard error of that mean over images.
        low: lower end of the 95 % t-interval.
        high: upper end.
        p: two-sided p-value of the paired t-test of no difference.
        mc_error: the part of ``stderr`` that more samples would remove; None where it is not known.
        num_images: N.
    """

    difference: float
    stderr: float
    low: float
    high: float
    p: float
    mc_error: float | None
    num_images: int


def read_likelihoods(content: bytes | Path) -> dict[str, np.ndarray]:
    """The arrays of a ``likelihoods.npz``, as ``iwae.evaluation.image_likelihoods`` lays them out.

    Args:
        content: the file, or its bytes.

    Raises:
        RecordError: it is torn, or no such file.
    """
    try:
        with np.load(io.BytesIO(content) if isinstance(content, bytes) else content) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise RecordError(f"the likelihoods of the images cannot be read: {error}") from None


def paired_test(
    first: Mapping[str, np.ndarray],
    second: Mapping[str, np.ndarray],
    split: Literal["validation", "test"] = "test",
) -> PairedTest:
    """Compare two trained models on the same images.

    Images are the replicates: the answer holds for other images under these two models, and not for the
    models that other seeds would give. Much of an image's log p̂ is the image's own, which a difference takes
    out, so the error is far smaller than those of the two NLLs.

    Args:
        first: ``read_likelihoods`` of one trial.
        second: of the other.
        split: the images.

    Raises:
        RecordError: the two were measured on other pixels or with other numbers of samples, are not
            of the same kind (binary pixels, bytes or a density, given labels or not), or one has none.
    """
    if not all(f"{split}_log_p" in arrays for arrays in (first, second)):
        raise RecordError(f"a trial has no {split} likelihoods: must be of models that have a likelihood")
    # Older files do not say it, and were of one kind where their pixels are the same.
    kinds = [str(arrays["measure"]) for arrays in (first, second) if "measure" in arrays]
    if len(set(kinds)) > 1:
        raise RecordError(
            f"the {split} likelihoods are not of the same kind ({kinds[0]}; {kinds[1]}): must be of trials"
            " with the same measure"
        )
    for name, what in ((f"{split}_pixels", "pixels"), ("num_samples", "numbers of importance samples")):
        if first[name] != second[name]:
            raise RecordError(
                f"the {split} likelihoods were measured with different {what}: must be of trials with the"
                " same data and evaluation"
            )
    differences = second[f"{split}_log_p"] - first[f"{split}_log_p"]
    count, mean = len(differences), float(differences.mean())
    stderr = float(differences.std(ddof=1)) / math.sqrt(count)
    half = float(special.stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * stderr
    p = float(2 * special.stdtr(count - 1, -abs(mean) / stderr)) if stderr > 0 else float(mean == 0)
    errors = [arrays.get(f"{split}_mc_error") for arrays in (first, second)]
    squares = [float(np.square(error, dtype=np.float64).sum()) for error in errors if error is not None]
    mc_error = math.sqrt(sum(squares)) / count if len(squares) == 2 else None
    return PairedTest(mean, stderr, mean - half, mean + half, p, mc_error, count)
