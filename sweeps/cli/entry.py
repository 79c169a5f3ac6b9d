"""The command line: parsing and dispatch only.

Standard output holds results (with `--json`, one object and nothing else); everything else goes to standard
error. Exit codes: 0 done, 1 the work failed, 2 bad input and nothing was started, 130 interrupted.
"""

import os
import sys
from typing import NoReturn

import typer

from iwae.errors import ConfigError, SweepError, UserError
from sweeps.cli import launch, lifecycle, logs, reproduction, results, transfer  # noqa: F401 (commands, in this order)
from sweeps.cli.app import app, err, was_stopped_in_order
from sweeps.cli.usage import EXAMPLES, UsageProblem, one_line
from sweeps.cluster.answers import JOB_VARIABLE, Answer, Code
from sweeps.process import account, signals, streams
from sweeps.screen.say import log_on
from tracking.addresses.reach import keep_loopback_direct

for _command in app.registered_commands:
    _name = str(_command.name or getattr(_command.callback, "__name__", ""))
    _command.epilog = f"Example: `{EXAMPLES[_name]}`"


def main() -> NoReturn:
    """The entry point: exit codes and one-line errors."""
    streams.never_fail()
    signals.end_in_order()
    keep_loopback_direct()
    account.complete()
    try:
        with log_on(err):
            code = app(prog_name="sweeps", standalone_mode=False) or 0
        # Typer makes 130 of Ctrl-C, without a word; a command that was stopped says its own.
        if code == 130 and not was_stopped_in_order():
            err.print("interrupted", highlight=False)
    except KeyboardInterrupt:
        code = 130
    except typer.Abort:
        err.print()  # after the question
        code = _failed("not confirmed: nothing was done (--yes does not ask)", code=1)
    except UsageProblem as problem:
        code = _failed(one_line(problem), code=2)
    except ConfigError as error:
        code = _failed(*map(str, error.errors), code=2)
    except UserError as error:
        code = _failed(str(error), code=2)
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        code = _failed(f"{where}{error.strerror or error}", code=1)
    except SweepError as error:
        code = _failed(str(error), code=1)
    finally:
        signals.ignore()
    if (why := streams.refused_output()) is not None:
        code = _failed(f"standard output: {why}: the result could not be written", code=code or 1)
    sys.exit(code)


def _failed(*mistakes: str, code: int) -> int:
    """A line for each mistake; a job on a cluster passes them on as one answer."""
    from tracking.addresses.secrets import masked

    lines = [" ".join(masked(what)[0].split()) for what in mistakes]  # a library may quote an address
    for line in lines:
        print(f"error: {line}", file=sys.stderr)  # noqa: T201
    if (job := os.environ.get(JOB_VARIABLE)) is not None:
        answer = Answer(job, Code.REFUSED if code == 2 else Code.FAILED, "; ".join(lines))
        print(answer.to_json(), file=sys.stderr)  # noqa: T201
    return code
