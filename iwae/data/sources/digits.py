"""The handwritten digits of scikit-learn: small, and always at hand."""

import numpy as np

from iwae.config.catalogue import CATALOGUE
from iwae.data.dataset import RawSplits
from iwae.data.sources.embedded import embedded_file
from iwae.randomness import permutation


def read_digits() -> RawSplits:
    """The 1,797 handwritten digits of scikit-learn, 8×8, mixed by a fixed permutation; the last 360 are test.

    Intensities 0 … 16 become round(255 · i / 16), so a pixel is on with probability i / 16 up to 1/510.
    """
    intensities, labels = _intensities_and_labels()
    images = np.rint(intensities * (255 / 16)).astype(np.uint8)
    # The file has them in the order in which they were collected.
    order = permutation(len(images), "digits")
    mixed, classes, num_test = images[order], labels[order], CATALOGUE["digits"].num_test
    by_split = {"train": classes[:-num_test], "test": classes[-num_test:]}
    rows = {"train": order[:-num_test], "test": order[-num_test:]}
    return RawSplits(mixed[:-num_test], None, mixed[-num_test:], by_split, tuple("0123456789"), rows=rows)


def _intensities_and_labels() -> tuple[np.ndarray, np.ndarray]:
    """``[1797, 8, 8]``, 0 … 16, and ``[1797]``."""
    file = embedded_file("digits.csv.gz")
    if file is not None:
        rows = np.loadtxt(file, delimiter=",")  # the last column is the label
        return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(np.int64)
    from sklearn.datasets import load_digits  # wherever its version has the file

    digits = load_digits()
    return np.asarray(digits.images), np.asarray(digits.target, np.int64)
