"""The entry point of `sweeps` and of `python -m sweeps`: first the path, then the command line.

A folder may hold another `iwae`, or somebody's own package of the name `tracking`. Neither the working
folder, which `python -m` puts in front, nor PYTHONPATH decides which one runs: the ones beside this one do.
"""

import sys
from pathlib import Path
from typing import NoReturn

from sweeps.process.imports import take


def main() -> NoReturn:
    """Run the command line with the packages that were installed with it."""
    here = Path(__file__).resolve().parents[1]
    if __name__ == "__main__" and not sys.flags.safe_path and Path(sys.path[0]).resolve() != here:
        del sys.path[0]
    try:
        take(("iwae", "tracking"), here)
    except ImportError as error:
        print(f"error: {error}: install iwae-sweeps again", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    from sweeps.cli.entry import main as run

    run()


if __name__ == "__main__":
    main()
