"""One run a configuration, beside those of its trials: its row of ``tradeoff.csv``, for MLflow to sort.

MLflow's pages cannot average over seeds with an interval, and seeds are replicates: the configuration is the
unit that is ranked. The runs have the tag ``sweeps.kind=configuration``, so that a search for trials counts
nothing twice, and metrics under the names of the table's columns. Where every configuration has one seed
there are none: the trial is the configuration.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tracking.analysis.configurations import Configuration, tables
from tracking.mlflow import mapping as view
from tracking.mlflow.client import Client, Run
from tracking.mlflow.limits import MAX_PARAM, MAX_RUN_NAME, stored
from tracking.records.records import SweepRecord
from tracking.report.table_csv import measured, table_name
from tracking.runs.views import ANNEALING, LATENT, K, is_replicated

KIND = "configuration"
_KEY, _TABLE, _PARENT = "sweeps.configuration_key", "sweeps.table", "mlflow.parentRunId"
_NOTE = (
    "Means over this configuration's complete seeds (`seeds` says how many) and the ends of their 95 %"
    " intervals (`_low`, `_high`): its row of `report/{table}` of the sweep's run. Its seeds:"
    " `tags.sweeps.kind = 'trial' and tags.sweeps.configuration_key = '{key}'`"
)


@dataclass(frozen=True)
class Expected:
    """What the run of a configuration must hold; ``start`` and ``end`` in milliseconds since 1970."""

    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    start: int
    end: int

    @property
    def identity(self) -> tuple[str, str]:
        """There is one run with it in a sweep."""
        return self.tags[_KEY], self.tags[_TABLE]

    def differences(self, run: Run) -> list[str]:
        """What of a run is not so, in words; what people added is none of it."""
        pairs = [
            *(("status", run.status, "FINISHED") for _ in "1" if run.status != "FINISHED"),
            *((name, run.tags.get(name), text) for name, text in self.tags.items()),
            *((name, run.params.get(name), text) for name, text in self.params.items()),
            *((name, run.metrics.get(name), value) for name, value in self.metrics.items()),
        ]
        return [f"{name} = {found}: must be {wanted}" for name, found, wanted in pairs if found != wanted]


def expected_runs(record: SweepRecord, parent_id: str) -> dict[tuple[str, str], Expected]:
    """What the configurations' runs of a sweep must hold, by their identities."""
    if not is_replicated(record):
        return {}
    found = [
        _expected(record, row, table_name(number), parent_id)
        for number, table in enumerate(tables(record))
        for row in table.configurations
    ]
    return {one.identity: one for one in found}


def _expected(record: SweepRecord, row: Configuration, table: str, parent_id: str) -> Expected:
    plan = row.trials[0].plan
    flat = plan.config.flat()
    paths = dict.fromkeys([K, LATENT, ANNEALING, *row.parameters])
    values = {path: row.parameters.get(path, flat.get(path)) for path in paths}
    return Expected(
        name=stored(plan.configuration_name, MAX_RUN_NAME),
        tags={
            "sweeps.kind": KIND,
            "sweeps.name": record.name,
            _KEY: plan.configuration_key,
            _TABLE: table,
            _PARENT: parent_id,
        },
        params={
            path: stored(value if isinstance(value, str) else json.dumps(value), MAX_PARAM)
            for path, value in values.items()
        },
        metrics={name: float(value) for name, value in measured(row).items() if value is not None},
        start=min(view.trial_start(trial) for trial in row.trials),
        end=max(view.trial_end(trial) for trial in row.trials),
    )


def sort_out(
    runs: Sequence[Run], expected: Mapping[tuple[str, str], Expected]
) -> tuple[dict[tuple[str, str], Run], list[Run]]:
    """The oldest run of each expected configuration, and those that are doubled or of none."""
    kept: dict[tuple[str, str], Run] = {}
    extra = []
    for run in runs:
        identity = run.tags.get(_KEY, ""), run.tags.get(_TABLE, "")
        if identity in expected and identity not in kept:
            kept[identity] = run
        else:
            extra.append(run)
    return kept, extra


def sync(client: Client, record: SweepRecord, parent: Run) -> None:
    """Make the runs of a sweep's configurations hold what its record says; no call for one that does.

    Values that changed, because seeds were added, are logged behind the old ones, which MLflow keeps. One
    process at a time may do it.
    """
    expected = expected_runs(record, parent.id)
    runs = client.runs({"sweeps.kind": KIND, "sweeps.name": record.name})
    kept, extra = sort_out(runs, expected)
    for run in extra:
        client.delete(run.id)

    def bring(one: Expected) -> None:
        run = kept.get(one.identity)
        if run is not None and any(run.params.get(path, text) != text for path, text in one.params.items()):
            client.delete(run.id)  # a run cannot take a parameter back
            run = None
        if run is None:
            note = _NOTE.format(table=one.tags[_TABLE], key=one.tags[_KEY])
            tags = {**one.tags, "mlflow.note.content": note}
            run = client.create_run(parent.experiment_id, one.name, one.start, tags)
        if one.differences(run):
            _write(client, run, one)

    client.each(bring, list(expected.values()))


def _write(client: Client, run: Run, one: Expected) -> None:
    client.log_latest(run, one.metrics, one.params, one.tags)
    if (run.status, run.end) != ("FINISHED", one.end):
        client.end(run.id, "FINISHED", one.end)
