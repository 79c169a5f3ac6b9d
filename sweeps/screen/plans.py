"""A plan before it runs: how many trials, how long."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from sweeps.plan.forecast import Cost, cost_of, seconds_per_work
from sweeps.plan.precision import Precision, precision
from sweeps.screen.live import duration
from sweeps.screen.say import say
from tracking.files.files import Files
from tracking.records.records import PlannedTrial
from tracking.statistics.numbers import nats, plural

if TYPE_CHECKING:
    from sweeps.spec.spec import SweepSpec
from sweeps.screen.status import SHOWN_TRIALS


def plan_json(spec: "SweepSpec", trials: list[PlannedTrial]) -> dict[str, Any]:
    """`plan` as the design's JSON object."""
    return {
        "name": spec.name,
        "num_trials": _num_trials(spec, trials),
        "trials": [_trial_json(spec, trial) for trial in trials],
    }


def _trial_json(spec: "SweepSpec", trial: PlannedTrial) -> dict[str, Any]:
    """A trial; at equal seconds its key is known once its epochs were measured."""
    return {"key": None if _estimated(spec) else trial.key, "overrides": dict(trial.overrides)}


def _estimated(spec: "SweepSpec") -> bool:
    """Whether the epochs of its trials are still to be measured."""
    return spec.search.equal_seconds is not None and not spec.search.equal_seconds.measured


def _num_trials(spec: "SweepSpec", trials: list[PlannedTrial]) -> int:
    return (spec.search.num_trials or 0) * len(spec.search.seeds) if spec.is_model_based else len(trials)


def show_plan(spec: "SweepSpec", trials: list[PlannedTrial], files: Files, console: Console) -> None:
    """The trials of a spec, and their cost as far as it is known."""
    configurations = len({trial.configuration_key for trial in trials})
    if spec.is_model_based:
        say(
            console,
            f"{spec.name}: {spec.search.num_trials} configurations"
            f" × {plural(len(spec.search.seeds), 'seed')}, suggested by {spec.search.sampler.name}"
            " as results come in",
        )
        return
    seeds = len(spec.search.seeds)
    say(
        console,
        f"{spec.name}: {plural(configurations, 'configuration')} × {plural(seeds, 'seed')}"
        f" = {plural(len(trials), 'trial')}",
    )
    if estimated := _estimated(spec):
        say(console, "equal seconds: `sweeps run` measures an epoch and plans the epochs that fill the time")
    rate = seconds_per_work(files, spec)
    table = Table(box=None, pad_edge=False)
    table.add_column("trial", overflow="fold")
    table.add_column("epochs, about" if estimated else "key", no_wrap=True)
    for heading in ("training", "evaluation", *(["one thread"] if rate else [])):
        table.add_column(heading, justify="right", no_wrap=True)
    costs = [cost_of(trial.config) for trial in trials]
    for trial, cost in list(zip(trials, costs, strict=True))[:SHOWN_TRIALS]:
        table.add_row(
            trial.name,
            _epochs(spec, trial) if estimated else trial.key[:12],
            _flops(cost.training),
            _flops(cost.evaluation),
            *([duration(cost.work * rate)] if rate else []),
        )
    console.print(table)
    if len(trials) > SHOWN_TRIALS:
        say(console, f"… and {len(trials) - SHOWN_TRIALS} more (--json lists all)")
    _show_total(costs, rate, console)
    if shown := precision(files, trials):
        say(console, precision_in_words(shown, seeds))


def precision_in_words(shown: Precision, seeds: int) -> str:
    """Which differences the planned seeds will not show, and twice as many would."""
    (first, least), (second, finer) = shown.smallest.items()
    start = f"with {seeds} seeds" if seeds == first else f"with one seed nothing is separable; with {first}"
    return (
        f"{start}, differences below {nats(least)} nats will not be separable (80 % power); with {second},"
        f" {nats(finer)} (seeds differ by {nats(shown.deviation)} nats in {shown.earlier})"
    )


def _epochs(spec: "SweepSpec", trial: PlannedTrial) -> str:
    """By the forecast, which knows how long epochs take in proportion and not in seconds."""
    assert spec.search.equal_seconds is not None
    return str(trial.config.num_epochs) if spec.search.equal_seconds.seconds is None else "to be measured"


def _show_total(costs: list[Cost], rate: float | None, console: Console) -> None:
    total = sum(cost.total for cost in costs)
    share = sum(cost.evaluation for cost in costs) / total if total else 0.0
    known = (
        f"about {duration(sum(cost.work for cost in costs) * rate)} of one thread, from the trials in storage"
        if rate
        else "seconds are known once a trial of this data set has run here"
    )
    say(console, f"in all {_flops(total)}, {share:.0%} of it evaluation; {known}")


def _flops(value: float) -> str:
    for unit, size in (("PFLOP", 1e15), ("TFLOP", 1e12), ("GFLOP", 1e9)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e6:.3g} MFLOP"


def show_specs(specs: Mapping[str, str], console: Console) -> None:
    """The ready specs, a line each."""
    for name, description in specs.items():
        say(console, f"{name:16} {description}")
