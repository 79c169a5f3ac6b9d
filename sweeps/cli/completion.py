"""What a shell completes: sweeps, ready specs and YAML files. Asked at every tab, it is cheap."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import typer


def sweep_names(context: typer.Context, incomplete: str) -> list[str]:
    """The sweeps in the storage in use; none where it does not answer."""
    from iwae.errors import SweepError
    from sweeps.opening import files_of
    from tracking.storage.sweep_files import sweeps_in

    with contextlib.suppress(SweepError, OSError):
        names = sweeps_in(files_of(context.params.get("storage")))
        return [name for name in names if name.startswith(incomplete)]
    return []


def specs(incomplete: str) -> list[tuple[str, str]]:
    """The ready specs with what they are, and YAML files and folders that begin with what was typed."""
    from sweeps.spec.spec import ready_specs

    ready = [(name, what) for name, what in ready_specs().items() if name.startswith(incomplete)]
    return [*ready, *((path, "") for path in _paths(incomplete))]


def _paths(incomplete: str) -> Iterator[str]:
    with contextlib.suppress(OSError):
        folder = Path(incomplete).parent if not incomplete.endswith("/") else Path(incomplete)
        for path in sorted(folder.iterdir()):
            shown = f"{path}/" if path.is_dir() else str(path)
            if shown.startswith(incomplete) and (path.is_dir() or path.suffix in (".yaml", ".yml")):
                yield shown
