"""The data sets that scikit-learn brings as files, without importing it, which takes a second."""

from importlib.util import find_spec
from pathlib import Path


def embedded_file(name: str) -> Path | None:
    """One of scikit-learn's own files of data; None where its version has it elsewhere."""
    package = find_spec("sklearn")
    assert package is not None
    places = (Path(folder, "datasets", "data", name) for folder in package.submodule_search_locations or ())
    return next((place for place in places if place.is_file()), None)
