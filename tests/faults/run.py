"""A benchmark of reliability: `python -m tests.faults [--only KIND ...] [--times N] [--seed S] [--jobs N]`.

A small real sweep is run once without a fault. Then, for each fault: the same sweep, the fault at a random
instant, what a user would do, `sweeps verify`, and the comparison of its results with the first one's, bit
by bit. Exit code 1 when anything was lost, doubled or otherwise wrong.
"""

import argparse
import json
import random
import signal
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console

from . import table
from .harness import attempt
from .kinds.faults import FAULTS, Fault
from .place.bench import Bench, NotHereError
from .place.case import Verdict


def chosen(names: Iterable[str]) -> list[Fault]:
    """The faults of these names, or of the kinds before a colon; all when none is given."""
    names = list(names)
    known = {fault.name for fault in FAULTS} | {fault.name.partition(":")[0] for fault in FAULTS}
    for name in names:
        if name not in known:
            raise SystemExit(
                f"error: --only {name} is not allowed: must be one of {', '.join(sorted(known))}"
            )
    return [f for f in FAULTS if not names or f.name in names or f.name.partition(":")[0] in names]


def make_all(
    bench: Bench, fault: Fault, numbers: list[int], jobs: int, console: Console, verdicts: list[Verdict]
) -> str | None:
    """Every attempt of a fault, each verdict appended as it is known; why it cannot be made, if it cannot."""

    def one(number: int) -> None:
        verdict = attempt(bench, fault.name, number, fault.act)
        verdicts.append(verdict)
        steps = ", ".join(verdict.steps)
        console.print(
            f"{fault.name} {number}: at {verdict.instant:.2f} s{', ' + steps if steps else ''}:"
            f" {'survived' if verdict.survived else 'WRONG: ' + verdict.wrong[0]} ({verdict.took:.0f} s)",
            soft_wrap=True,
            highlight=False,
            markup=False,
        )

    try:
        with ThreadPoolExecutor(1 if fault.alone else jobs) as pool:
            list(pool.map(one, numbers))
    except NotHereError as reason:
        return f"not made: {reason}"
    return None


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="KIND", help="these faults (see --list)")
    parser.add_argument("--times", type=int, help="attempts of each, instead of its own number")
    parser.add_argument("--number", type=int, help="only the attempt of this number, from 0, to repeat it")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--jobs", type=int, default=1, help="attempts beside each other where they can")
    parser.add_argument("--output", type=Path, help="write everything as JSON here too")
    parser.add_argument("--list", action="store_true", help="show the faults and do nothing")
    options = parser.parse_args()
    faults = chosen(options.only)
    console = Console() if sys.stdout.isatty() else Console(width=160)
    if options.list:
        for fault in faults:
            console.print(f"{fault.name:16} {fault.times:3} times  {fault.what}", highlight=False)
        return
    # A shell's background job ignores Ctrl-C, and so would everything that is started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    verdicts: list[Verdict] = []
    skipped: dict[str, str] = {}
    interrupted = False
    bench = Bench(Path(tempfile.mkdtemp(prefix="faults-")), options.seed)
    console.print(f"seed {options.seed}, in {bench.folder}", highlight=False)
    try:
        reference = bench.reference
        console.print(f"without a fault: {reference.trials:.1f} s of trials, {reference.whole:.1f} s in all")
        for fault in faults:
            times = options.times or fault.times
            numbers = list(range(times)) if options.number is None else [options.number]
            if reason := make_all(bench, fault, numbers, options.jobs, console, verdicts):
                skipped[fault.name] = reason
    except KeyboardInterrupt:
        console.print("interrupted: what was done until then")
        interrupted = True
    finally:
        bench.close()
        verdicts.sort(key=lambda verdict: verdict.number)  # the table has them by fault
        table.show(verdicts, skipped, console)
        if options.output is not None:
            values = table.as_json(verdicts, skipped, options.seed, faults)
            options.output.write_text(json.dumps(values, indent=1) + "\n")
    if interrupted:
        raise SystemExit(130)
    raise SystemExit(0 if all(verdict.survived for verdict in verdicts) else 1)
