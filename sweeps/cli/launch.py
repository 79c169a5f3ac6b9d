"""The commands that start a sweep here, and what leads to one: run, plan, specs, schema, extend, fork."""

from typing import Annotated

import typer

from iwae.errors import ConfigError
from sweeps.cli.app import (
    LAUNCH,
    Address,
    Json,
    Name,
    NewName,
    Set,
    SetConfig,
    SetMore,
    Spec,
    Storage,
    TrackingUri,
    app,
    experiment_of,
    files_of,
    finish,
    on_terminal,
    open_store,
    out,
    print_json,
    store_of,
    sweep_of,
)


@app.command(rich_help_panel=LAUNCH)
def run(
    spec: Spec,
    name: NewName = None,
    assignments: Set = None,
    address: Address = None,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Run a sweep and wait for its end. Ctrl-C stops it cleanly; `sweeps resume` goes on."""
    from sweeps.spec.spec import load_spec

    parsed = load_spec(spec, assignments or (), name)
    from sweeps.runner import run_sweep

    store = store_of(tracking_uri, parsed.tracking.experiment)
    result = run_sweep(parsed, files_of(storage), store, address=address, display=on_terminal())
    finish(result, store, as_json=json)


@app.command(rich_help_panel=LAUNCH)
def plan(
    spec: Spec, name: NewName = None, assignments: Set = None, storage: Storage = None, json: Json = False
) -> None:
    """Show the trials of a spec and what they will cost, without starting anything."""
    from sweeps.plan.plan import draw_plan
    from sweeps.screen.plans import plan_json, show_plan
    from sweeps.spec.spec import load_spec

    parsed = load_spec(spec, assignments or (), name)
    trials = draw_plan(parsed)
    if json:
        print_json(plan_json(parsed, trials))
    else:
        show_plan(parsed, trials, files_of(storage), out)


@app.command(rich_help_panel=LAUNCH)
def specs() -> None:
    """List the ready specs."""
    from sweeps.screen.plans import show_specs
    from sweeps.spec.spec import ready_specs

    show_specs(ready_specs(), out)


@app.command(rich_help_panel=LAUNCH)
def extend(
    name: Name,
    assignments: SetMore = None,
    address: Address = None,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Add seeds, grid values or trials to a sweep and run them: `--set 'search.seeds=[0, 1, 2, 3]'`."""
    from sweeps import changes

    if not assignments:
        raise ConfigError(
            "--set", "missing: must name what is added, for example --set 'search.seeds=[0, 1, 2]'"
        )
    sweep = sweep_of(storage, name)
    store = store_of(tracking_uri, experiment_of(sweep))
    finish(
        changes.extend(sweep, store, assignments, address=address, display=on_terminal()),
        store,
        as_json=json,
    )


@app.command(rich_help_panel=LAUNCH)
def fork(
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="A trial's run in MLflow.")],
    name: NewName = None,
    assignments: SetConfig = None,
    address: Address = None,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Start a one-trial sweep from a run's configuration: `--set objective.num_samples=50`."""
    from sweeps import changes

    store = open_store(tracking_uri, None)
    result = changes.fork(
        run_id,
        store,
        files_of(storage),
        assignments or (),
        name=name,
        address=address,
        display=on_terminal(),
    )
    finish(result, store, as_json=json)


@app.command(rich_help_panel=LAUNCH)
def schema() -> None:
    """Print the JSON schema of the spec, for editors."""
    from sweeps.spec.spec import json_schema

    print_json(json_schema())
