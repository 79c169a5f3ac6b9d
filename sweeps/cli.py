"""The command line: parsing and dispatch only.

Standard output holds results (with `--json`, one object and nothing else); everything else goes to standard
error. Exit codes: 0 done, 1 the work failed, 2 bad input and nothing was started, 130 interrupted.
"""

import signal
import sys
from typing import NoReturn

from iwae.errors import SweepError, UserError
from sweeps import cli_launch, cli_lifecycle, cli_results  # noqa: F401 (each adds its commands, in this order)
from sweeps.cli_shared import app, err, ignore_signals, was_stopped_in_order


def main() -> NoReturn:
    """The entry point: exit codes and one-line errors."""
    # Where nobody takes care of it, SIGTERM ends a command as Ctrl-C does: contexts are left in order.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app(standalone_mode=True)
    except KeyboardInterrupt:
        code = 130
    except SystemExit as exit_:
        # Typer makes 130 of Ctrl-C, without a word; a command that was stopped says its own.
        if exit_.code == 130 and not was_stopped_in_order():
            err.print("interrupted", highlight=False)
        raise
    except UserError as error:
        _print_error(error)
        code = 2
    except (SweepError, OSError) as error:
        _print_error(error)
        code = 1
    else:
        code = 0
    finally:
        ignore_signals()
    sys.stdout.flush()
    sys.exit(code)


def _print_error(error: Exception) -> None:
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201
