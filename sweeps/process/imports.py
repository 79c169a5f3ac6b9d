"""Takes the three packages from one folder, whatever else Python's path holds under their names.

Standard library alone: it runs before anything of ours is imported, and is sent to workers by value.
"""

import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path


def take(packages: Iterable[str], folder: Path) -> None:
    """Import packages from a folder; what was imported under their names from elsewhere is forgotten.

    Raises:
        ImportError: the folder lacks one.
    """
    for name in packages:
        file = (folder / name / "__init__.py").resolve()
        there = getattr(sys.modules.get(name), "__file__", None)
        if there is not None and Path(there).resolve() == file:
            continue
        spec = importlib.util.spec_from_file_location(
            name, file, submodule_search_locations=[str(file.parent)]
        )
        if spec is None or spec.loader is None or not file.is_file():
            raise ImportError(f"no package {name} in {folder}")
        for module in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
            del sys.modules[module]
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
