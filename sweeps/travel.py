"""What travels with a job: the packages as they are here, where the code comes from, and the spec."""

import importlib.util
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iwae import yaml
from tracking import provenance

PACKAGES = ("iwae", "tracking", "sweeps")
SPEC_FILE = "spec.yaml"
# What setuptools installs of the packages.
_SUFFIXES = (".py", ".yaml")


def pack(folder: Path) -> None:
    """Copy the packages of this process, and nothing beside them, into an empty folder."""
    for name in PACKAGES:
        _copy(_folder_of(name), folder / name)


def pack_sweep(folder: Path, spec: Mapping[str, Any] | None) -> None:
    """Add what a command that works on a sweep needs: where the code comes from, and the resolved spec."""
    (folder / provenance.SUBMITTED_FILE).write_text(json.dumps(provenance.origin()), "utf-8")
    if spec is not None:
        (folder / SPEC_FILE).write_text(yaml.dump(dict(spec)), "utf-8")


def _folder_of(package: str) -> Path:
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0])


def _copy(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        hidden = any(part.startswith((".", "__pycache__")) for part in inside.parts)
        if path.suffix in _SUFFIXES and not hidden:
            (target / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / inside)
