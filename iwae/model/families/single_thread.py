"""One thread for the libraries below scikit-learn: the order in which several add up is not fixed."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController  # comes with scikit-learn


@contextmanager
def single_thread() -> Iterator[None]:
    """BLAS and OpenMP with one thread inside."""
    with _controller().limit(limits=1):
        yield


@cache
def _controller() -> ThreadpoolController:
    # What is loaded later would not be found. It takes seconds.
    import sklearn.decomposition
    import sklearn.mixture  # noqa: F401

    return ThreadpoolController()
