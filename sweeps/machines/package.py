"""What travels with a job: the packages as they are here, where the code comes from, and the spec."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iwae.config import yaml
from tracking.provenance import provenance, sources

SPEC_FILE = "spec.yaml"


def pack(folder: Path) -> None:
    """Copy the packages of this process, and nothing beside them, into an empty folder.

    Raises:
        RecordError: they do not come from one folder.
    """
    here = sources.root()
    for name in sources.manifest(here):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(here / name, folder / name)


def pack_sweep(folder: Path, spec: Mapping[str, Any] | None) -> None:
    """Add what a command that works on a sweep needs: where the code comes from, and the resolved spec."""
    (folder / provenance.SUBMITTED_FILE).write_text(json.dumps(provenance.origin()), "utf-8")
    if spec is not None:
        (folder / SPEC_FILE).write_text(yaml.dump(dict(spec)), "utf-8")
