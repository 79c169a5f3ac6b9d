"""Files that nothing can be trained on: one line that names the fix, exit code 2, and nothing is written."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sweeps.cli.entry import main

ROWS = np.random.default_rng(0).normal(size=(20, 3))
BYTES = np.random.default_rng(0).integers(0, 256, (20, 4), dtype=np.uint8)


def npz(folder: Path, **arrays: np.ndarray) -> Path:
    np.savez(folder / "a.npz", allow_pickle=True, **arrays)
    return folder / "a.npz"


def npy(folder: Path, array: np.ndarray) -> Path:
    np.save(folder / "a.npy", array, allow_pickle=True)
    return folder / "a.npy"


def text(folder: Path, content: str, name: str = "a.csv") -> Path:
    (folder / name).write_text(content)
    return folder / name


def torn(path: Path, kept: float = 0.5) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    return path


def table(folder: Path, **columns: object) -> Path:
    pd.DataFrame({"a": ROWS[:, 0], "b": ROWS[:, 1], **columns}).to_csv(folder / "a.csv", index=False)
    return folder / "a.csv"


def parquet(folder: Path) -> Path:
    pd.DataFrame(ROWS, columns=list("abc")).to_parquet(folder / "a.parquet")
    return folder / "a.parquet"


def images(folder: Path, *sizes: tuple[int, int], suffix: str = ".png") -> Path:
    (folder / "images").mkdir()
    for number, size in enumerate(sizes):
        Image.new("L", size, 200 + number).save(folder / "images" / f"{number}{suffix}")
    return folder / "images"


def unreadable_image(folder: Path) -> Path:
    made = images(folder, *[(40, 40)] * 8, suffix=".bmp")
    torn(made / "5.bmp")
    return made


def beside_classes(folder: Path) -> Path:
    made = images(folder, *[(4, 4)] * 8)
    (made / "cats").mkdir()
    Image.new("L", (4, 4)).save(made / "cats" / "1.png")
    return made


def animated(folder: Path) -> Path:
    (folder / "images").mkdir()
    frames = [Image.new("L", (4, 4), shade) for shade in (10, 200)]
    frames[0].save(folder / "images" / "a.gif", save_all=True, append_images=frames[1:])
    return folder / "images"


def renamed(path: Path, name: str) -> Path:
    return path.rename(path.with_name(name))


def spoilt(value: float) -> np.ndarray:
    rows = ROWS.copy()
    rows[6, 1] = value
    return rows


BROKEN: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "torn npz": (lambda f: torn(npz(f, x=ROWS)), "", "a.npz cannot be read: .*: must be what numpy.savez"),
    "torn npy": (
        lambda f: torn(npy(f, ROWS)),
        "",
        "a.npy cannot be read: .*: must be what numpy.save writes",
    ),
    "torn parquet": (lambda f: torn(parquet(f)), "", "cannot be read: .*: must be a Parquet table"),
    "pickled array": (
        lambda f: npy(f, np.array([{"a": 1}, None], object)),
        "",
        "holds pickled Python objects, which can run code and are never loaded",
    ),
    "pickled array of an npz": (
        lambda f: npz(f, train=np.array([[1, None]], object), test=ROWS),
        "",
        "a.npz: train holds pickled Python objects",
    ),
    "text where numbers should be": (
        lambda f: table(f, city=["Oslo"] * 20, kind=["x"] * 20),
        "",
        r"columns city \('Oslo'\), kind \('x'\) hold no numbers: --label NAME makes one the label, --drop",
    ),
    "a question mark for what is missing": (
        lambda f: table(f, age=["12"] * 19 + ["?"]),
        "",
        r"the column age \('\?'\) holds no numbers",
    ),
    "decimal commas": (
        lambda f: text(f, "a;b\n" + "1,5;2,7\n" * 12),
        "",
        "'1,5', a decimal comma",
    ),
    "NaN": (
        lambda f: npy(f, spoilt(np.nan)),
        "",
        r"has NaN in 1 of 20 items \(the first is number 7\): must be finite and complete; --drop-missing",
    ),
    "infinity": (lambda f: npy(f, spoilt(-np.inf)), "", "has infinity in 1 of 20 items"),
    "an empty cell": (lambda f: table(f, c=[1.0] * 19 + [None]), "", "has NaN in 1 of 20 items .*number 20"),
    "a missing label": (lambda f: table(f, k=["x"] * 19 + [None]), "--label k", "has no label in 1 of 20"),
    "lines of different lengths": (lambda f: text(f, "a,b\n1,2\n1,2,3\n"), "", "cannot be read: .*line 3"),
    "labels of another number": (
        lambda f: npz(f, x_train=ROWS, y_train=np.arange(19)),
        "",
        "y_train has 19 entries and x_train 20 items: must be as many",
    ),
    "labels of several columns": (
        lambda f: npz(f, x=ROWS, y=np.zeros((20, 14), int)),
        "",
        r"y has the shape \(20, 14\): must be \[N\], one class an item \(--drop y leaves it out\)",
    ),
    "prices as labels": (
        lambda f: table(f, price=ROWS[:, 2]),
        "--label price",
        "the label .* a whole number",
    ),
    "splits of two widths": (
        lambda f: npz(f, train=ROWS, test=ROWS[:, :2]),
        "",
        r"test has items of \(2,\) and train of \(3,\): must be of one shape",
    ),
    "images of two sizes": (
        lambda f: images(f, *[(4, 4)] * 7, (4, 5)),
        "",
        r"7.png is 5 × 4 and 0.png 4 × 4: must be of one size \(--resize 4x4 brings all to one\)",
    ),
    "an unreadable image": (unreadable_image, "", "5.bmp cannot be read: "),
    "text called an image": (
        lambda f: text(images(f, (4, 4)), "hello", "x.png").parent,
        "",
        "x.png cannot be read: it is no image that Pillow knows",
    ),
    "an animated image": (animated, "", "a.gif holds 2 images: must be one image a file"),
    "an empty folder": (images, "", "images has no images: must hold .*png"),
    "a folder of something else": (
        lambda f: text(images(f), "hello", "notes.txt").parent,
        "",
        "has no images: it has notes.txt: must",
    ),
    "images beside classes": (beside_classes, "", "0.png lies beside the folder cats: images must all be in"),
    "only one split, named oddly": (
        lambda f: npz(f, test=ROWS, holdout=ROWS),
        "",
        "holdout has items and its name says no split: --array SPLIT=holdout names it, --drop holdout",
    ),
    "nothing to train on": (
        lambda f: npz(f, test=ROWS),
        "",
        "has test and no training items: must have train",
    ),
    "names that say nothing": (
        lambda f: npz(f, foo=ROWS, bar=ROWS),
        "",
        "none of foo, bar says that it holds the items: name one with --array items=NAME",
    ),
    "two arrays for one": (
        lambda f: npz(f, x=ROWS, data=ROWS),
        "",
        "x and data may both be items: --array items=",
    ),
    "a wrong ending": (
        lambda f: renamed(npy(f, ROWS), "a.csv"),
        "",
        "a.csv is no .csv file: it begins as .npy does: name it as it is",
    ),
    "an unknown kind": (
        lambda f: text(f, "x", "a.xlsx"),
        "",
        "a.xlsx is of no kind that is known: must be .npy",
    ),
    "one image": (lambda f: images(f, (4, 4)) / "0.png", "", "no kind that is known: give the folder"),
    "no file": (lambda f: f / "a.csv", "", "a.csv is not there: must be .npy"),
    "an empty file": (lambda f: text(f, ""), "", "a.csv is empty: must be a table"),
    "a table of names alone": (lambda f: text(f, "a,b\n"), "", "has no rows"),
    "Latin-1": (
        lambda f: (f / "a.csv").write_bytes("größe\n1\n2\n".encode("latin-1")) and f / "a.csv",
        "",
        r"cannot be read: .*UTF-8",
    ),
    "bytes in an odd unit": (
        lambda f: npy(f, BYTES // 16),
        "",
        r"uint8 up to 15 is in no known unit .*; --as floats keeps them as numbers",
    ),
    "bytes that are none": (
        lambda f: npy(f, ROWS),
        "--as bytes",
        "--as bytes: .* must be whole numbers 0 to 255",
    ),
    "complex numbers": (lambda f: npy(f, ROWS * 1j), "", "items is complex128: must be numbers"),
    "one dimension": (lambda f: npy(f, ROWS[:, 0]), "", r"items has the shape \(20,\): must be \[N, ...\]"),
    "channels that may be anywhere": (
        lambda f: npy(f, np.zeros((20, 3, 5, 4))),
        "",
        r"items of \(3, 5, 4\) may have their channels first or last: must be told by --channels",
    ),
    "a column that is not there": (
        lambda f: table(f, species=["x"] * 20),
        "--label specie",
        "--label: there is no column specie: did you mean species?",
    ),
    "an option of another kind": (
        lambda f: npy(f, ROWS),
        "--label y",
        "--label: is not allowed: an .npy file",
    ),
    "more than there is": (lambda f: npy(f, ROWS), "--test 20", "--test and --validation: .* there are 20"),
    "a size that is none": (
        lambda f: npy(f, ROWS),
        "--test 1.5",
        "--test: 1.5 is not allowed: must be a share",
    ),
    "a size for a split that is there": (
        lambda f: npz(f, train=ROWS, test=ROWS),
        "--test 0.2",
        "--test: is not allowed: the source has 20 test items of its own",
    ),
    "an unknown word for a split": (
        lambda f: table(f, part=["train"] * 19 + ["holdout"]),
        "--split part",
        "--split part: 'holdout' is not allowed: must be train, validation or test",
    ),
    "too few groups": (lambda f: table(f, g=[1, 2] * 10), "--group g", "has 2 groups: must have >= 3"),
    "a shape of another size": (
        lambda f: npy(f, BYTES),
        "--shape 2x3",
        r"--shape: 2x3 .* has the shape \(4,\)",
    ),
    "constant pixels that are to go": (lambda f: npy(f, BYTES), "--drop-constant", "bytes are pixels"),
    "nothing but constants": (lambda f: npy(f, np.full((20, 2), 1.5)), "--drop-constant", "leaves nothing"),
    "no size": (
        lambda f: images(f, (4, 4)),
        "--resize 28",
        "--resize: 28 is not allowed: must be HEIGHTxWIDTH",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_source_is_one_line(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make, options, said = BROKEN[case]
    words = [str(make(tmp_path)), *options.split(), "--out", str(tmp_path / "out.npz"), "--json"]
    error = refused(words, capsys, monkeypatch)
    assert re.search(said, error), error
    assert not (tmp_path / "out.npz").exists()


def refused(words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "argv", ["sweeps", "import", *words])
    with pytest.raises(SystemExit) as exit_:
        main()
    shown = capsys.readouterr()
    assert (exit_.value.code, shown.out) == (2, "")
    assert re.fullmatch(r"error: .+\n", shown.err), shown.err
    return shown.err


def test_a_file_that_is_there_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = npy(tmp_path, ROWS), tmp_path / "out.npz"
    out.write_text("mine")
    words = [str(source), "--out", str(out)]
    assert "out.npz is there already: --force replaces it" in refused(words, capsys, monkeypatch)
    assert "must end in .npz" in refused([*words[:2], str(tmp_path / "out.csv")], capsys, monkeypatch)
    assert "is no folder" in refused([*words[:2], str(tmp_path / "no" / "out.npz")], capsys, monkeypatch)
    assert out.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "out.npz"]
