"""Saved views of a sweep in MLflow's UI: which runs, which columns in which order, and which charts.

MLflow keeps a view as a tag of the experiment, ``mlflow.sharedViewState.<id>``: a name, two times, and the
state of its page as JSON. Its pages list it under that name and open it from a link
(`tracking.addresses.uris.view_page`). The shape is that of MLflow 3.17's pages; a version that does not know
it shows the runs in its own way.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from iwae.config.train import flatten
from tracking.mlflow.client import Client, Run
from tracking.mlflow.mapping import sweep_start
from tracking.records.records import SweepRecord
from tracking.runs.exclusive import METRIC

PREFIX = "mlflow.sharedViewState."
FIRST_TABLE = "tradeoff.csv"  # others hold what another yardstick measured: never ranked together
K, LATENT, ANNEALING = "objective.num_samples", "model.latent_dim", "annealing.name"
Axis = tuple[Literal["PARAM", "METRIC"], str]
_TRIAL = {"seconds": "time/train_seconds", "nll": "val/nll_final", "test": "test/nll"}
_MEAN = {"seconds": "train_seconds_mean", "nll": "val_nll_final_mean", "test": "test_nll_mean"}
_ALONE = {"trial": METRIC, "mean": "train_seconds_exclusive_mean"}  # in their place, where steps were probed
# What MLflow draws of every metric by itself stays below ours, closed.
_TRIAL_SECTIONS = ("val", "test", "train", "gradient", "annealing", "time", "throughput", "System metrics")
_MEAN_SECTIONS = ("Model metrics",)
_FROZEN = ("1", "attributes.`Run Name`", "runDateAndNestInfo")  # columns that every table has, in front


class View(NamedTuple):
    """A saved view: its id in links, and the name in MLflow's list of views."""

    id: str
    name: str
    state: Mapping[str, Any]


def answer_view(name: str) -> str:
    """The id of the view that ranks a sweep's configurations by their means over seeds."""
    return f"{name}-k-against-time"


def trials_view(name: str) -> str:
    """The id of the view of a sweep's single trials."""
    return f"{name}-every-seed"


def is_replicated(record: SweepRecord) -> bool:
    """Whether any configuration has several seeds, so that its mean is a number of its own."""
    return any(len(trials) > 1 for trials in record.configurations.values())


def saved_views(record: SweepRecord) -> list[View]:
    """The views of a sweep, a function of its plan and of whether its steps were probed.

    With several seeds "K against time" ranks configurations by their means, and "every seed" shows the
    trials; with one seed a trial is a configuration and the first view shows the trials.
    """
    columns, axes = _paths(record)
    of_trial = {**_TRIAL, **({"seconds": _ALONE["trial"]} if record.alone else {})}
    of_mean = {**_MEAN, **({"seconds": _ALONE["mean"]} if record.alone else {})}
    trials = _view(
        trials_view(record.name),
        f"{record.name}: every seed",
        f"tags.`sweeps.name` = '{record.name}' AND tags.`sweeps.kind` = 'trial'",
        params=(*columns, "seed"),
        metrics=(of_trial["nll"], of_trial["seconds"], of_trial["test"], "test/active_units"),
        charts=[*_scatters(axes, of_trial), *_curves()],
        ranked_by=_TRIAL["nll"],
        others=_TRIAL_SECTIONS,
    )
    answer = (answer_view(record.name), f"{record.name}: K against time")
    if not is_replicated(record):
        return [trials._replace(id=answer[0], name=answer[1])]
    configurations = _view(
        *answer,
        f"tags.`sweeps.name` = '{record.name}' AND tags.`sweeps.kind` = 'configuration'"
        f" AND tags.`sweeps.table` = '{FIRST_TABLE}'",
        params=columns,
        metrics=(
            *("seeds", of_mean["nll"], of_mean["seconds"], "val_nll_final_low", "val_nll_final_high"),
            *(_MEAN["test"], "active_units_mean"),
        ),
        charts=_scatters(axes, of_mean),
        ranked_by=_MEAN["nll"],
        others=_MEAN_SECTIONS,
    )
    return [configurations, trials]


def _paths(record: SweepRecord) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The parameters that are shown as columns, and those that are axes of the parallel coordinates.

    Columns are K, the latent size and the annealing, whether or not they vary, and what else varies. Of these
    every axis is one that varies and that every trial has: MLflow draws no line for a run that lacks one.
    """
    leaves = dict.fromkeys(leaf for trial in record.trials for leaf in flatten(trial.plan.overrides))
    flat = [trial.config.flat() for trial in record.trials]
    values = {leaf: {json.dumps(one[leaf]) if leaf in one else None for one in flat} for leaf in leaves}
    several = [leaf for leaf, found in values.items() if len(found - {None}) > 1]
    columns = tuple(dict.fromkeys([K, LATENT, ANNEALING, *several]))
    axes = tuple(leaf for leaf in columns if leaf in several and None not in values[leaf])
    return columns, axes or (K,)


def _view(
    identity: str,
    name: str,
    runs: str,
    *,
    params: Sequence[str],
    metrics: Sequence[str],
    charts: Iterable[dict[str, Any]],
    ranked_by: str,
    others: Iterable[str],
) -> View:
    columns = [*(f"params.`{path}`" for path in params), *(f"metrics.`{key}`" for key in metrics)]
    state = {
        "searchFilter": runs,
        "orderByKey": f"metrics.`{ranked_by}`",
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": columns,
        "columnOrder": [*_FROZEN, *columns],
        "runsHiddenMode": "SHOW_ALL",
        "isAccordionReordered": True,  # else the sections stand by name, and ours is not the first
        "compareRunSections": [
            _section("answer", name, shown=True),
            *(_section(other, other, shown=False) for other in others),
        ],
        "compareRunCharts": [
            {"uuid": f"{identity}-{number}", "metricSectionId": "answer", **_CHART, **chart}
            for number, chart in enumerate(charts)
        ],
    }
    return View(identity, name, state)


_CHART = {"deleted": False, "isGenerated": False, "runsCountToCompare": 100}


def _section(identity: str, name: str, *, shown: bool) -> dict[str, Any]:
    kept = {"isReordered": True, "deleted": False, "isGenerated": not shown}
    return {"uuid": identity, "name": name, "display": shown, **kept}


def _scatters(paths: Sequence[str], names: Mapping[str, str]) -> list[dict[str, Any]]:
    seconds, nll = names["seconds"], names["nll"]
    return [
        _scatter(("METRIC", seconds), ("METRIC", nll)),
        _scatter(("PARAM", K), ("METRIC", nll)),
        {
            "type": "PARALLEL",
            "displayName": "What varies, and what came of it",
            "selectedParams": list(paths),
            "selectedMetrics": [seconds, nll],
            "showAllRuns": True,
        },
    ]


def _scatter(x: Axis, y: Axis) -> dict[str, Any]:
    ends = {name: {"type": kind, "key": key} for name, (kind, key) in (("xaxis", x), ("yaxis", y))}
    return {"type": "SCATTER", "displayName": f"{y[1]} against {x[1]}", **ends}


def _curves() -> list[dict[str, Any]]:
    """`val/nll` by training seconds, which compares K's, and by epoch."""
    by_seconds = {"xAxisKey": "metric", "selectedXAxisMetricKey": _TRIAL["seconds"]}
    by_epoch = {"xAxisKey": "step", "selectedXAxisMetricKey": ""}
    fixed = {"lineSmoothness": 0, "scaleType": "linear", "xAxisScaleType": "linear", "yAxisKey": "metric"}
    shared = {"useGlobalXaxisKey": False, "useGlobalLineSmoothing": True, "ignoreOutliers": False}
    return [
        {
            "type": "LINE",
            "displayName": f"val/nll by {what}",
            "metricKey": "val/nll",
            "selectedMetricKeys": ["val/nll"],
            "range": {},
            "yAxisExpressions": [],
            **fixed,
            **shared,
            **axis,
        }
        for what, axis in (("training seconds", by_seconds), ("epoch", by_epoch))
    ]


def view_tags(record: SweepRecord) -> dict[str, str]:
    """The views as tags of the experiment; the same plan gives the same tags."""
    made = sweep_start(record)
    return {
        PREFIX + view.id: json.dumps(
            {"name": view.name, "createdAt": made, "updatedAt": made, "state": json.dumps(view.state)}
        )
        for view in saved_views(record)
    }


def open_view(client: Client, parent: Run, name: str, *, ranked: bool) -> str | None:
    """The id of the view that a link to a sweep opens: there are no means to rank before its first end."""
    known = client.experiment_tags(parent.experiment_id)
    wanted = [answer_view(name), trials_view(name)]
    found = [view for view in (wanted if ranked else wanted[::-1]) if PREFIX + view in known]
    return found[0] if found else None


def forget_views(client: Client, experiment_ids: Iterable[str], name: str) -> None:
    """Remove a sweep's views from the experiments that its runs were in."""
    for experiment_id in experiment_ids:
        known = client.experiment_tags(experiment_id)
        for identity in (answer_view(name), trials_view(name)):
            if PREFIX + identity in known:
                client.untag_experiment(experiment_id, PREFIX + identity)
