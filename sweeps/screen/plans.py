"""A plan before it runs: how many trials, how long, at what price."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from iwae.config.schedules import NoAnnealing
from iwae.config.train import TrainConfig
from sweeps.execution.packs import Packing
from sweeps.execution.packs import in_words as in_packs
from sweeps.pace.seconds import duration
from sweeps.pace.work import steps_per_epoch
from sweeps.plan.forecast import cost_of
from sweeps.plan.memory import peak_bytes
from sweeps.plan.outlook import Outlook, Planned, in_words
from sweeps.plan.precision import Precision, precision
from sweeps.plan.wall import COVERAGE, Range
from sweeps.screen.say import say
from sweeps.screen.status import SHOWN_TRIALS
from tracking.files.files import Files
from tracking.records.records import PlannedTrial
from tracking.statistics.numbers import nats, number, plural

if TYPE_CHECKING:
    from sweeps.spec.spec import SweepSpec

_SHAPE = ("data", "model", "objective", "batch_size")


def plan_json(planned: Planned) -> dict[str, Any]:
    """`plan` as the design's JSON object, with what the sweep will take where that is known."""
    outlook = planned.outlook
    return {
        "name": planned.spec.name,
        "num_trials": planned.num_trials,
        "trials": [_trial_json(planned, trial) for trial in planned.trials],
        "remarks": list(planned.remarks),
        "forecast": None if outlook is None else _forecast_json(planned, outlook),
    }


def _trial_json(planned: Planned, trial: PlannedTrial) -> dict[str, Any]:
    """A trial; at equal seconds its key is known once its epochs were measured."""
    values: dict[str, Any] = {
        "key": None if planned.estimated else trial.key,
        "overrides": dict(trial.overrides),
    }
    if planned.outlook is not None:
        seconds = planned.outlook.seconds(trial)
        values |= {
            "seconds": seconds.total,
            "train_seconds": seconds.training,
            "evaluation_seconds": seconds.evaluation,
            "peak_bytes": peak_bytes(trial.config),
        }
    return values


def _forecast_json(planned: Planned, outlook: Outlook) -> dict[str, Any]:
    return {
        "basis": outlook.forecast.basis,
        "at_once": outlook.places.number,
        "coverage": COVERAGE,
        "wall_seconds": _range_json(outlook.drawn.wall),
        "trial_hours": _range_json(outlook.drawn.hours),
        "price": None if outlook.price is None else _range_json(outlook.price),
        "shapes": [
            {"name": name, **_shape_json(config, outlook)} for config, name in _shape_names(planned).items()
        ],
    }


def _range_json(values: Range) -> dict[str, float]:
    return {"median": values.middle, "low": values.low, "high": values.high}


def _shape_json(config: TrainConfig, outlook: Outlook) -> dict[str, float]:
    """Of a trial that has its core to itself."""
    seconds, evaluations = outlook.forecast.of(config), -(-config.num_epochs // config.evaluation.every)
    return {
        "step_seconds": seconds.training / config.num_epochs / steps_per_epoch(config),
        "epoch_seconds": seconds.training / config.num_epochs,
        "curve_seconds": seconds.curve / evaluations,
        "final_seconds": seconds.final,
        "peak_bytes": peak_bytes(config),
    }


def _shape_names(planned: Planned) -> dict[TrainConfig, str]:
    """By what the space varies of them."""
    plain, found = NoAnnealing(name="none"), {}
    for config in planned.shapes:
        trial = next((t for t in planned.trials if _same_shape(t.config, config)), None)
        overrides = {} if trial is None else trial.overrides
        kept = {path: value for path, value in overrides.items() if path.split(".")[0] in _SHAPE}
        shown = PlannedTrial(0, kept, config.model_copy(update={"annealing": plain}))
        found[config] = shown.configuration_name
    return found


def _same_shape(one: TrainConfig, other: TrainConfig) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in _SHAPE)


def show_plan(planned: Planned, files: Files, console: Console) -> None:
    """The trials of a spec, and what they will take as far as it is known."""
    spec, trials = planned.spec, planned.trials
    seeds = plural(len(spec.search.seeds), "seed")
    if spec.is_model_based:
        say(
            console,
            f"{spec.name}: {spec.search.num_trials} configurations × {seeds}, suggested by"
            f" {spec.search.sampler.name} as results come in",
        )
    else:
        configurations = len({trial.configuration_key for trial in trials})
        say(
            console,
            f"{spec.name}: {plural(configurations, 'configuration')} × {seeds}"
            f" = {plural(len(trials), 'trial')}",
        )
    if planned.estimated:
        say(console, "equal seconds: `sweeps run` measures an epoch and plans the epochs that fill the time")
    for remark in planned.remarks:
        say(console, remark)
    if planned.outlook is not None:
        _show_packs(planned, planned.outlook, console)
        _show_shapes(planned, planned.outlook, console)
    if trials:
        _show_trials(planned, console)
    _show_outlook(planned, console)
    if trials and (shown := precision(files, trials)):
        say(console, precision_in_words(shown, len(spec.search.seeds)))


def _show_packs(planned: Planned, outlook: Outlook, console: Console) -> None:
    resources = planned.spec.resources
    if resources.packing != "off" and planned.trials:
        packs = Packing(resources, outlook.places.number).announce(planned.trials)
        say(console, f"packing: {in_packs(packs)}; the seconds below are of trials alone")


def _show_shapes(planned: Planned, outlook: Outlook, console: Console) -> None:
    """What a trial of each shape takes alone; one line a shape."""
    table = Table(box=None, pad_edge=False)
    table.add_column("alone on its cores" if not planned.spec.resources.gpus else "alone on its GPU")
    for heading in ("an epoch", "its evaluation", "final evaluation", "memory"):
        table.add_column(heading, justify="right", no_wrap=True)
    for config, name in list(_shape_names(planned).items())[:SHOWN_TRIALS]:
        values = _shape_json(config, outlook)
        table.add_row(
            name,
            *(short(values[name]) for name in ("epoch_seconds", "curve_seconds", "final_seconds")),
            in_bytes(values["peak_bytes"]),
        )
    console.print(table)


def _show_trials(planned: Planned, console: Console) -> None:
    spec, trials, outlook = planned.spec, planned.trials, planned.outlook
    table = Table(box=None, pad_edge=False)
    table.add_column("trial", overflow="fold")
    table.add_column("epochs, about" if planned.estimated else "key", no_wrap=True)
    for heading in ("training", "evaluation"):
        table.add_column(heading, justify="right", no_wrap=True)
    for trial in trials[:SHOWN_TRIALS]:
        cost = cost_of(trial.config)
        shown = (_flops(cost.training), _flops(cost.evaluation))
        if outlook is not None:
            seconds = outlook.seconds(trial)
            shown = (short(seconds.training), short(seconds.evaluation))
        table.add_row(trial.name, _epochs(spec, trial) if planned.estimated else trial.key[:12], *shown)
    console.print(table)
    if len(trials) > SHOWN_TRIALS:
        say(console, f"… and {len(trials) - SHOWN_TRIALS} more (--json lists all)")


def precision_in_words(shown: Precision, seeds: int) -> str:
    """Which differences the planned seeds will not show, and twice as many would."""
    (first, least), (second, finer) = shown.smallest.items()
    start = f"with {seeds} seeds" if seeds == first else f"with one seed nothing is separable; with {first}"
    return (
        f"{start}, differences below {nats(least)} nats will not be separable (80 % power); with {second},"
        f" {nats(finer)} (seeds differ by {nats(shown.deviation)} nats in {shown.earlier})"
    )


def _epochs(spec: "SweepSpec", trial: PlannedTrial) -> str:
    """Those that fill the time, as far as an epoch's seconds are known."""
    rule = spec.search.equal_seconds
    known = rule is not None and (rule.seconds is None or rule.measured)
    return str(trial.config.num_epochs) if known else "to be measured"


_BASIS = {
    "probe": "from steps measured on this machine",
    "trials": "from trials in storage, which may have had other shapes or neighbours",
}


def _show_outlook(planned: Planned, console: Console) -> None:
    outlook, costs = planned.outlook, [cost_of(trial.config) for trial in planned.trials]
    if outlook is None:
        total = sum(cost.total for cost in costs)
        share = sum(cost.evaluation for cost in costs) / total if total else 0.0
        work = f"in all {_flops(total)}, {share:.0%} of it evaluation; " if costs else ""
        say(console, f"{work}seconds are known once steps were measured: leave out --no-probe")
        return
    say(console, f"{in_words(outlook)} ({_BASIS[outlook.forecast.basis]})")
    if planned.spec.resources.packing != "off":
        say(console, "trials that train in packs are counted as if each trained alone")
    if outlook.price is not None:
        price = outlook.price
        say(
            console,
            f"cost: about {number(price.middle)}, between {number(price.low)} and {number(price.high)}:"
            f" {number(outlook.drawn.hours.middle)} hours of trials at"
            f" {planned.spec.resources.price_per_hour:g} an hour",
        )


def short(seconds: float) -> str:
    """Seconds with a digit or two where they are few: ``4 ms``, ``.72 s``, ``7.2 s``, ``2 min 10 s``."""
    if seconds < 0.1:
        return f"{number(1000 * seconds, 2)} ms"
    return f"{number(seconds, 2)} s" if seconds < 10 else duration(seconds)


def in_bytes(size: float) -> str:
    """Bytes in MiB or GiB."""
    return f"{size / 2**20:.0f} MiB" if size < 2**30 else f"{size / 2**30:.1f} GiB"


def _flops(value: float) -> str:
    for unit, size in (("PFLOP", 1e15), ("TFLOP", 1e12), ("GFLOP", 1e9)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e6:.3g} MFLOP"


def show_specs(specs: Mapping[str, str], console: Console) -> None:
    """The ready specs, a line each."""
    for name, description in specs.items():
        say(console, f"{name:16} {description}")
