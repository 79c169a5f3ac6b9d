"""The handwritten digits of scikit-learn: small, and always at hand."""

import numpy as np

from iwae.data.dataset import RawSplits
from iwae.randomness import permutation

DIGITS_TEST = 360


def read_digits() -> RawSplits:
    """The 1,797 handwritten digits of scikit-learn, 8×8, mixed by a fixed permutation; the last 360 are test.

    Intensities 0 … 16 become round(255 · i / 16), so a pixel is on with probability i / 16 up to 1/510.
    """
    from sklearn.datasets import load_digits

    intensities = load_digits().images
    images = np.rint(intensities * (255 / 16)).astype(np.uint8)
    # They lie in the order in which they were collected.
    mixed = images[permutation(len(images), "digits")]
    return RawSplits(mixed[:-DIGITS_TEST], None, mixed[-DIGITS_TEST:])
