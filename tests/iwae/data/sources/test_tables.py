import numpy as np
import pytest
from sklearn import datasets

from iwae.config.catalogue import CATALOGUE
from iwae.config.data import DataConfig
from iwae.data.load import load_dataset
from iwae.data.sources import tables

TABLES = {
    "wine": datasets.load_wine(),
    "breast-cancer": datasets.load_breast_cancer(),
    "iris": datasets.load_iris(),
    "diabetes": datasets.load_diabetes(scaled=False),
}


@pytest.mark.parametrize("name", TABLES)
def test_table_is_scikit_learns_with_its_classes(name: str) -> None:
    raw, theirs = tables.read_table(name), TABLES[name]
    together = np.concatenate([raw.train, raw.test])
    classes = np.zeros(len(together))
    if name == "diabetes":
        assert raw.labels is None
        expected = np.zeros(len(together))
    else:
        assert raw.labels is not None
        classes, expected = np.concatenate([raw.labels["train"], raw.labels["test"]]), theirs.target
        assert raw.label_names == tuple(map(str, theirs.target_names))
    ours = np.column_stack([together, classes])
    original = np.column_stack([theirs.data, expected])
    assert sorted(map(bytes, ours)) == sorted(map(bytes, original))
    assert len(raw.feature_names) == theirs.data.shape[1]
    assert len(raw.test) == CATALOGUE[name].num_test == len(together) // 5


def test_without_scikit_learns_file_its_function_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = {name: tables.read_table(name) for name in ("wine", "diabetes")}
    monkeypatch.setattr(tables, "embedded_file", lambda name: None)
    for name, before in expected.items():
        assert np.array_equal(tables.read_table(name).train, before.train)


def test_table_is_floats_with_names() -> None:
    data = load_dataset(DataConfig.model_validate({"name": "wine", "scaling": "standardize"}))
    assert [len(part) for part in (data.train, data.validation, data.test)] == [120, 23, 35]
    np.testing.assert_allclose(data.train.double().mean(0), np.zeros(13), atol=1e-6)
    np.testing.assert_allclose(data.train.double().std(0, correction=0), np.ones(13), atol=1e-6)
    assert data.feature_names[0] == "alcohol"
    assert data.labels is not None
    assert data.labels.names == ("class_0", "class_1", "class_2")
