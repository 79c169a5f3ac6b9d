"""The command that trains again: a run, the best run of a sweep, or a random sample of its trials."""

from typing import TYPE_CHECKING, Annotated

import typer

from iwae.errors import ConfigError
from sweeps.cli.app import (
    REPRODUCE,
    Json,
    Storage,
    TrackingUri,
    app,
    checked_name,
    err,
    on_terminal,
    out,
    print_json,
)

if TYPE_CHECKING:
    from sweeps.sweep import Sweep
    from tracking.reproduction import Reproduction


@app.command(rich_help_panel=REPRODUCE)
def reproduce(
    run_id: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN_ID | NAME]", help="A trial's run in MLflow; with --sample a sweep's name."
        ),
    ] = None,
    best_of: Annotated[
        str | None,
        typer.Option("--best", metavar="NAME", help="The best run of a sweep.", callback=checked_name),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="N random complete trials of the sweep.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="What the sample is drawn with.")] = 0,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Train a run again and compare: BITWISE, WITHIN_NOISE or DIVERGED (exit code 1)."""
    from sweeps.launch import open as open_sweep
    from sweeps.launch import open_run

    if (run_id is None) == (best_of is None) or (sample is not None and best_of is not None):
        raise ConfigError("RUN_ID", "give one of a run id, --best NAME, and NAME --sample N")
    named = best_of if sample is None else checked_sweep(run_id)
    if named is not None:
        sweep = open_sweep(named, storage=storage, tracking_uri=tracking_uri, show=on_terminal)
    else:
        assert run_id is not None
        sweep, _ = open_run(run_id, storage=storage, tracking_uri=tracking_uri, show=on_terminal)
    if sample is None:
        _one(sweep, run_id, as_json=json)
    else:
        _sample(sweep, sample, seed, as_json=json)


def checked_sweep(name: str | None) -> str | None:
    """A sweep's name that stands where a run's id may stand."""
    from tracking.records.names import check_name

    return None if name is None else check_name(name, "NAME")


def _one(sweep: "Sweep", run_id: str | None, *, as_json: bool) -> None:
    from sweeps.screen.results import show_reproduction

    result = _trained_again(sweep, run_id, "")
    if as_json:
        print_json(result.to_dict())
    else:
        show_reproduction(result, out)
    if result.verdict == "DIVERGED" or result.run_id is None:
        raise typer.Exit(1)


def _sample(sweep: "Sweep", number: int, seed: int, *, as_json: bool) -> None:
    from sweeps.results.trials import drawn
    from sweeps.screen.results import sample_json, show_sample

    record = sweep.record()
    trials = drawn(record, number, seed)
    err.print(f"{number} of {len(record.complete)} complete trials, drawn with seed {seed}", highlight=False)
    results = [
        (trial, _trained_again(sweep, trial.key, f"{place} of {number}, "))
        for place, trial in enumerate(trials, 1)
    ]
    if as_json:
        print_json(sample_json(sweep.name, seed, results))
    else:
        show_sample(results, out)
    if any(result.verdict == "DIVERGED" or result.run_id is None for _, result in results):
        raise typer.Exit(1)


def _trained_again(sweep: "Sweep", trial: str | None, which: str) -> "Reproduction":
    with err.status("reading the record") as status:

        def show(epoch: int, last: int, same: bool) -> None:
            status.update(f"{which}epoch {epoch} of {last}: {'the same' if same else 'different'}")

        return sweep.reproduce(trial, on_epoch=show)
