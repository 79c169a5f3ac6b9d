"""The entry point of `sweeps` and of `python -m sweeps`: first the path, then the command line.

The working folder, which `python -m` puts first, or PYTHONPATH may hold other packages named `iwae` or
`tracking`. The ones installed beside this one run.
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
        print(f"error: {error}: reinstall iwae-sweeps", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    from sweeps.cli.entry import main as run
    from sweeps.process.ending import leave

    try:
        run()
    except SystemExit as ended:
        leave(ended.code if isinstance(ended.code, int) else 1)


if __name__ == "__main__":
    main()
