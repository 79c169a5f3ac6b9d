"""The rules of the house that a tool can check and ruff, mypy and import-linter do not."""

import ast
import importlib
import statistics
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("iwae", "tracking", "sweeps")
FACES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("__init__.pyi"))


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def test_no_folder_has_more_than_twelve_modules() -> None:
    found = Counter(path.parent.relative_to(ROOT) for path in modules(*PACKAGES, "tests"))
    assert {str(folder): number for folder, number in found.items() if number > 12} == {}


def test_no_module_has_more_than_300_lines() -> None:
    lines = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in modules(*PACKAGES)}
    assert {str(path): number for path, number in lines.items() if number > 300} == {}


def test_most_functions_have_at_most_30_lines() -> None:
    lengths = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in modules(*PACKAGES)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert len(lengths) > 1000
    assert statistics.quantiles(lengths, n=20)[-1] <= 30


def test_the_formatter_is_obeyed() -> None:
    mark = "fmt: " + "skip"
    assert [str(path) for path in modules(*PACKAGES, "tests") if mark in path.read_text()] == []


@pytest.mark.parametrize("face", FACES, ids=lambda path: path.parent.name)
def test_what_a_face_names_is_there(face: Path) -> None:
    """A stub is what a face loads from: a name that moved away would be found by its first user."""
    package = ".".join(face.parent.relative_to(ROOT).parts)
    loaded = importlib.import_module(package)
    names = list(promised(face))
    assert names
    assert [name for name in names if not hasattr(loaded, name)] == []


def promised(face: Path) -> Iterator[str]:
    for node in ast.parse(face.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
