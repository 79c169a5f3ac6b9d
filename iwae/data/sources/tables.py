"""The tables of scikit-learn, wine, breast cancer, iris and diabetes: small, floats, and always at hand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from iwae.config.catalogue import CATALOGUE
from iwae.data.dataset import RawSplits
from iwae.data.sources.embedded import embedded_file
from iwae.randomness import permutation

_CELL = (
    *("radius", "texture", "perimeter", "area", "smoothness"),
    *("compactness", "concavity", "concave points", "symmetry", "fractal dimension"),
)


@dataclass(frozen=True)
class _Table:
    """A table in scikit-learn's files.

    Attributes:
        file: its name there; the last column is the class where there are classes.
        loader: scikit-learn's function that gives it, where its version has the file elsewhere.
        features: names of the columns.
        classes: names of the classes; empty where there are none.
    """

    file: str
    loader: str
    features: tuple[str, ...]
    classes: tuple[str, ...] = ()


_TABLES: Mapping[str, _Table] = {
    "wine": _Table(
        "wine_data.csv",
        "load_wine",
        (
            *("alcohol", "malic acid", "ash", "alcalinity of ash", "magnesium", "total phenols"),
            *("flavanoids", "nonflavanoid phenols", "proanthocyanins", "color intensity", "hue"),
            *("OD280/OD315", "proline"),
        ),
        ("class_0", "class_1", "class_2"),
    ),
    "breast-cancer": _Table(
        "breast_cancer.csv",
        "load_breast_cancer",
        (
            *(f"mean {name}" for name in _CELL),
            *(f"{name} error" for name in _CELL),
            *(f"worst {name}" for name in _CELL),
        ),
        ("malignant", "benign"),
    ),
    "iris": _Table(
        "iris.csv",
        "load_iris",
        ("sepal length", "sepal width", "petal length", "petal width"),
        ("setosa", "versicolor", "virginica"),
    ),
    "diabetes": _Table(
        "diabetes_data_raw.csv.gz",
        "load_diabetes",
        ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"),
    ),
}


def read_table(name: str) -> RawSplits:
    """A table of scikit-learn in its own units, float64 ``[N, X]``, mixed by a fixed permutation.

    The last fifth of the rows is the test set. What ``diabetes`` is meant to predict is not in it.
    """
    table, facts = _TABLES[name], CATALOGUE[name]
    items, classes = _read(table)
    order = permutation(len(items), name)
    mixed, test = items[order], slice(len(items) - facts.num_test, None)
    train = slice(0, len(items) - facts.num_test)
    labels = None
    if classes is not None:
        labels = {"train": classes[order][train], "test": classes[order][test]}
    rows = {"train": order[train], "test": order[test]}
    return RawSplits(mixed[train], None, mixed[test], labels, table.classes, table.features, rows)


def _read(table: _Table) -> tuple[np.ndarray, np.ndarray | None]:
    """Rows ``[N, X]`` and classes ``[N]``, without importing scikit-learn, which takes a second."""
    file = embedded_file(table.file)
    if file is None:
        return _loaded(table)
    comma = not file.name.endswith(".gz")
    rows = np.loadtxt(file, delimiter="," if comma else None, skiprows=1 if comma else 0)
    if not table.classes:
        return rows, None
    return rows[:, :-1], rows[:, -1].astype(np.int64)


def _loaded(table: _Table) -> tuple[np.ndarray, np.ndarray | None]:
    from sklearn import datasets  # wherever its version has the file

    options = {} if table.classes else {"scaled": False}
    load: Callable[..., tuple[np.ndarray, np.ndarray]] = getattr(datasets, table.loader)
    rows, target = load(return_X_y=True, **options)
    return rows, target.astype(np.int64) if table.classes else None
