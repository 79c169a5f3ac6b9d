"""The commands that start a sweep here, and what leads to one: run, plan, specs, schema, extend, fork."""

from typing import Annotated

import typer

from sweeps.cli.app import (
    LAUNCH,
    Address,
    EqualSeconds,
    Json,
    Name,
    NewName,
    Notify,
    Set,
    SetConfig,
    SetMore,
    Spec,
    Storage,
    TrackingUri,
    app,
    finish,
    on_terminal,
    out,
    paced,
    print_json,
    told,
)


@app.command(rich_help_panel=LAUNCH)
def run(
    spec: Spec,
    name: NewName = None,
    assignments: Set = None,
    equal_seconds: EqualSeconds = False,
    notify: Notify = None,
    address: Address = None,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Run a sweep and wait for its end. Ctrl-C stops it in order; `sweeps resume` goes on."""
    from sweeps.launch import run as run_sweep

    finish(
        lambda: run_sweep(
            spec,
            set=told(paced(assignments, equal_seconds), notify),
            name=name,
            storage=storage,
            tracking_uri=tracking_uri,
            address=address,
            show=on_terminal,
        ),
        as_json=json,
    )


@app.command(rich_help_panel=LAUNCH)
def plan(
    spec: Spec,
    name: NewName = None,
    assignments: Set = None,
    equal_seconds: EqualSeconds = False,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe/--no-probe",
            help="Measure some steps of each kind of configuration here, once for each version and machine.",
        ),
    ] = True,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Show the trials of a spec and what they will take, without starting any."""
    from sweeps.machines import machine
    from sweeps.machines.capacity import Node, unused_gpus
    from sweeps.machines.planning import planned
    from sweeps.opening import files_of
    from sweeps.screen.plans import plan_json, show_plan
    from sweeps.screen.say import say
    from sweeps.spec.spec import load_spec

    parsed, files = load_spec(spec, paced(assignments, equal_seconds), name), files_of(storage)
    with on_terminal() as display:
        found = planned(parsed, files, display, probe=probe)
    if json:
        print_json(plan_json(found))
    else:
        show_plan(found, files, out)
        for line in unused_gpus(parsed.resources, [Node(machine.cpus().most, machine.gpus())]):
            say(out, f"on this machine it {line}")


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
    notify: Notify = None,
    address: Address = None,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Add seeds, grid values or trials to a sweep and run them: `--set 'search.seeds=[0, 1, 2, 3]'`."""
    from sweeps.launch import open as open_sweep

    sweep = open_sweep(name, storage=storage, tracking_uri=tracking_uri, show=on_terminal)
    finish(
        lambda: sweep.extend(told(assignments, notify) if assignments else (), address=address), as_json=json
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
    from sweeps.launch import open_run
    from sweeps.opening import storage_in_use

    sweep, trial = open_run(run_id, tracking_uri=tracking_uri, show=on_terminal)
    finish(
        lambda: sweep.fork(trial, assignments, name=name, storage=storage_in_use(storage), address=address),
        as_json=json,
    )


@app.command(rich_help_panel=LAUNCH)
def schema() -> None:
    """Print the JSON schema of the spec, for editors."""
    from sweeps.spec.spec import json_schema

    print_json(json_schema())
