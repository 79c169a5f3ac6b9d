"""Who trains, validates and tests: drawn by the seed, whole groups, never the end of the file."""

import hashlib
import json
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from iwae.config.data import DataConfig
from iwae.data.load import load_dataset
from sweeps.cli.entry import main
from sweeps.importing.importing import import_data
from sweeps.importing.source import Reading
from sweeps.importing.split import Size

NUMBERS = np.arange(200, dtype=np.float64)


def source(folder: Path, **columns: Any) -> Path:
    pd.DataFrame({"x": NUMBERS * 3 + 2, **columns}).to_parquet(folder / "a.parquet")
    return folder / "a.parquet"


def drawn(folder: Path, reading: Reading | None = None, **options: Any) -> dict[str, list[int]]:
    import_data(folder / "a.parquet", folder / "out.npz", reading, force=True, **options)
    with np.load(folder / "out.npz") as written:
        return {name: ((written[name][:, 0] - 2) / 3).astype(int).tolist() for name in written.files[:3]}


def test_every_item_is_in_one_split_and_none_is_the_end_of_the_file(tmp_path: Path) -> None:
    source(tmp_path)
    splits = drawn(tmp_path)
    assert {name: len(rows) for name, rows in splits.items()} == {"train": 140, "validation": 20, "test": 40}
    assert sorted(chain(*splits.values())) == list(range(200))
    assert all(rows == sorted(rows) for rows in splits.values())
    # A draw of 40 of 200 has the mean 99.5 and the standard deviation 8.2; the end of the file has 179.5.
    assert all(abs(np.mean(splits[name]) - 99.5) < 40 for name in ("validation", "test"))


def test_the_same_seed_writes_the_same_bytes_and_another_seed_draws_others(tmp_path: Path) -> None:
    source(tmp_path)
    first, second = drawn(tmp_path), drawn(tmp_path)
    content = (tmp_path / "out.npz").read_bytes()
    found = import_data(tmp_path / "a.parquet", tmp_path / "again.npz")
    assert first == second
    assert (tmp_path / "again.npz").read_bytes() == content
    assert (found.sha256, found.size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert drawn(tmp_path, seed=1)["test"] != first["test"]


def test_sizes_are_shares_or_numbers(tmp_path: Path) -> None:
    source(tmp_path)
    sizes = {"validation": Size.parse("7", "--validation"), "test": Size.parse("0.5", "--test")}
    splits = drawn(tmp_path, sizes=sizes)
    assert (len(splits["validation"]), len(splits["test"])) == (7, 100)


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_in_two_splits(seed: int, tmp_path: Path) -> None:
    groups = np.sort(np.random.default_rng(seed).integers(0, 25, 200))
    source(tmp_path, patient=groups)
    splits = drawn(tmp_path, Reading(group="patient"), seed=seed)
    held = [set(groups[rows]) for rows in splits.values()]
    assert not held[0] & held[1] | held[0] & held[2] | held[1] & held[2]
    assert sorted(chain(*splits.values())) == list(range(200))
    assert abs(len(splits["test"]) - 40) < 10
    assert abs(len(splits["validation"]) - 20) < 10


def test_a_column_may_say_the_split(tmp_path: Path) -> None:
    words = np.array(["Train", "val", "TEST", "train"])[np.arange(200) % 4]
    source(tmp_path, fold=words)
    splits = drawn(tmp_path, Reading(split="fold"))
    assert splits["validation"] == list(range(1, 200, 4))
    assert splits["test"] == list(range(2, 200, 4))


def test_items_with_something_missing_are_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    y = np.where(NUMBERS % 10 == 3, np.nan, 1.5 * NUMBERS)
    for labels in (np.where(NUMBERS % 10 == 4, None, "a"), pd.array([7, 7, 7, 7, pd.NA] * 40, dtype="Int64")):
        source(tmp_path, y=y, label=labels)
        found = import_data(
            tmp_path / "a.parquet",
            tmp_path / "out.npz",
            Reading(label="label", drop_missing=True),
            force=True,
        )
        assert found.dropped == 20 + sum(pd.isna(labels)) - sum(pd.isna(labels) & np.isnan(y))
        assert sum(split.items for split in found.splits.values()) == 200 - found.dropped
        assert found.label_names in (("a",), ("7",))


def test_constant_features_are_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    np.save(
        tmp_path / "a.npy", np.stack([NUMBERS, np.ones(200), NUMBERS**2, np.zeros(200)], 1).reshape(200, 2, 2)
    )
    found = import_data(tmp_path / "a.npy", tmp_path / "out.npz", Reading(drop_constant=True))
    with np.load(tmp_path / "out.npz") as written:
        np.testing.assert_array_equal(written["train"][:, 0] ** 2, written["train"][:, 1])
    assert (found.shape, found.constant) == ((2,), ())
    load_dataset(DataConfig.model_validate(found.base["data"]))  # scaled, which a constant feature is not


def test_what_is_noteworthy_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Constant features, and items that are in two splits, in the table and in the object of --json."""
    twice = np.repeat(NUMBERS[:100] + 0.5, 2)
    pd.DataFrame({"x": twice, "same": 1.25, "site": ["a", "b"] * 100}).to_csv(tmp_path / "a.csv", index=False)
    words = [
        "sweeps",
        "import",
        str(tmp_path / "a.csv"),
        "--out",
        str(tmp_path / "out.npz"),
        "--label",
        "site",
    ]
    monkeypatch.setattr(sys, "argv", [*words, "--json"])
    with pytest.raises(SystemExit) as exit_:
        main()
    shown = capsys.readouterr()
    assert exit_.value.code == 0
    told = json.loads(shown.out)
    with np.load(tmp_path / "out.npz") as written:
        train, validation, test = (written[name][:, 0].tolist() for name in ("train", "validation", "test"))
    assert told["constant_features"] == [1]
    assert told["splits"]["validation"]["repeated"] == sum(x in train for x in validation) > 0
    assert told["splits"]["test"]["repeated"] == sum(x in train or x in validation for x in test) > 0
    assert "1 of 2 features are the same in every training item: same" in shown.err
    assert "--drop-constant leaves them out" in shown.err
    assert "test items are in train or validation too" in shown.err
    assert f"SHA-256 {told['sha256']}" in shown.err
    assert "data: {name: npz, path: " in shown.err
