"""What the commands print of a result: lines for people, plain mappings for `--json`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from sweeps.importing.source import listed
from sweeps.pace.seconds import duration
from sweeps.screen.say import say
from tracking.records.records import SweepRecord, TrialRecord, TrialState
from tracking.storage.sweep import SweepStorage

if TYPE_CHECKING:
    from sweeps.result import SweepResult
    from sweeps.results.export import Exported
    from tracking.analysis.winner import Best
    from tracking.reproduction import Reproduction
    from tracking.verification.fault import Fault

SHOWN_TRIALS = 40


# Results of a session


def result_json(result: "SweepResult", tracking_uri: str) -> dict[str, Any]:
    """`run` and `resume` as the design's JSON object."""
    best = None if result.best is None else best_json(result.best, result.best_run_id)
    return {
        "name": result.record.name,
        "parent_run_id": result.parent_run_id,
        "tracking_uri": tracking_uri,
        "storage": result.record.storage,
        "seconds": result.seconds,
        "trials": result.record.counts,
        "best": best,
    }


def show_result(result: "SweepResult", console: Console, page: str | None = None) -> None:
    """What a person reads at the end of `run` and `resume`; ``page``: where a server shows the answer."""
    record = result.record
    counts = ", ".join(f"{number} {state}" for state, number in record.counts.items()) or "no trials"
    say(console, f"{record.name}: {counts} in {duration(result.seconds)}")
    for trial in record.trials:
        if trial.state is TrialState.FAILED:
            say(console, f"  failed: {trial.plan.name}: {trial.cause}")
    unfinished = [t.plan.name for t in record.trials if not t.state.ended]
    if unfinished:
        why = "the budget ended it" if result.outcome == "budget" else "it was interrupted"
        say(console, f"  {why}; not finished: {', '.join(unfinished[:4])}{_more(len(unfinished) - 4)}")
        say(console, f"  go on with: sweeps resume {record.name}")
    if result.best is not None:
        show_best(result.best, best_json(result.best, result.best_run_id), console)
        show_instead(record, console)
    say(console, f"  report: {record.storage}/{record.name}/report/index.html")
    if result.untold is None:
        say(console, f"  browse: {page or f'sweeps ui {record.name}'}")
    else:
        say(console, f"  MLflow lacks something of it: {result.untold}")
        say(console, f"  see to it, then bring it up to date: sweeps verify {record.name} --repair")


def _more(number: int) -> str:
    return f" and {number} more" if number > 0 else ""


# Best and reproduction


def best_json(best: "Best", run_id: str | None) -> dict[str, Any]:
    """The best configuration: its median run, and the means over its seeds, in nats and seconds.

    The NLLs of a model without a likelihood are null, and its reconstruction errors stand beside them.
    """
    score = best.score
    return {
        "run_id": run_id,
        "trial_key": best.trial.key,
        "config": best.trial.config.to_dict(),
        "val_nll_final": best.val_nll_final,
        "test_nll": best.test_nll,
        **({} if score.is_likelihood else {score.column: best.value, score.test_column: best.test_value}),
        "train_seconds": best.train_seconds,
        "train_seconds_exclusive": best.train_seconds_exclusive,
    }


def show_instead(record: SweepRecord, console: Console) -> None:
    """The K to take for its cost, where it is not the best one."""
    from tracking.analysis.configurations import tables  # scipy: only where there is a result
    from tracking.analysis.recommendation import recommendation_of
    from tracking.report.words.answers.k import instead_of_the_best

    found = tables(record)
    if found and (words := instead_of_the_best(recommendation_of(found[0]))):
        say(console, f"  {words}")


def show_best(best: "Best", values: Mapping[str, Any], console: Console) -> None:
    """The best configuration in three lines."""
    seeds = len(best.configuration)
    spread = "one seed, so no interval" if seeds == 1 else f"mean over {seeds} seeds"
    say(console, f"best: {best.trial.plan.configuration_name}")
    score = best.score
    test = "" if best.test_value is None else f", test {score.name} {score.precise(best.test_value)}"
    unit = f" {score.unit}" if score.unit else ""
    say(console, f"  val {score.name} {score.precise(best.value)}{test}{unit} ({spread})")
    which = "median" if seeds % 2 else "lower median"
    value = (best.trial.final or {})[score.final]
    run = values["run_id"] or best.trial.key
    say(console, f"  its {which} run: {run} (val {score.name} {score.precise(value)})")


def show_reproduction(result: "Reproduction", console: Console) -> None:
    """The verdict and what explains it."""
    values = result.to_dict()
    say(console, f"{values['verdict']}: {result.explanation}")
    say(console, f"  compared with {result.source['record']} (run {result.original_run_id})")
    for difference in values["differences"][:20]:
        say(console, f"  {difference}")
    # The same bits need no explanation.
    changed = {} if values["verdict"] == "BITWISE" else values["environment"]["changed"]
    for name, change in changed.items():
        say(console, f"  environment {name}: {change}")


def sample_json(
    name: str, seed: int, results: Sequence[tuple[TrialRecord, "Reproduction"]]
) -> dict[str, Any]:
    """Several second trainings: how many of each verdict, and each of them."""
    verdicts = Counter(result.verdict for _, result in results)
    trials = [{"trial": trial.plan.name, "trial_key": trial.key, **r.to_dict()} for trial, r in results]
    return {"name": name, "seed": seed, "verdicts": dict(verdicts), "trials": trials}


def show_sample(results: Sequence[tuple[TrialRecord, "Reproduction"]], console: Console) -> None:
    """One line a second training, and how many of each verdict."""
    table = Table("trial", "verdict", "first different epoch", box=None, pad_edge=False)
    for trial, result in results:
        table.add_row(trial.plan.name, result.verdict, str(result.first_different_epoch or "none"))
    console.print(table)
    for trial, result in results:
        if result.verdict != "BITWISE":
            say(console, f"{trial.plan.name}: {result.explanation}")
    verdicts = Counter(result.verdict for _, result in results)
    say(console, ", ".join(f"{number} of {len(results)} {verdict}" for verdict, number in verdicts.items()))


def show_exported(written: "Exported", console: Console) -> None:
    """The files, a line each, and what an NLL is."""
    for split, path in written.files.items():
        mean = f", mean NLL {written.nll[split]:.3f} nats" if split in written.nll else ""
        say(console, f"{path}: {written.items[split]:,} items{mean}")
    say(console, f"  columns: {listed(written.columns)}")
    if written.num_samples is not None:
        say(console, f"  each NLL from {written.num_samples:,} importance samples")


def show_faults(storage: SweepStorage, faults: "Sequence[Fault]", console: Console) -> None:
    """What `verify` found."""
    if not faults:
        say(console, f"{storage.name}: no trial lost, doubled or stuck; every epoch logged once")
    for fault in faults:
        say(console, f"{(fault.trial_key or 'sweep')[:12]}: {fault.what}")
