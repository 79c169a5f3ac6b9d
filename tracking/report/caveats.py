"""What the report cannot say, said."""

from collections.abc import Sequence
from statistics import fmean

from tracking.records import SweepRecord, TrialRecord, TrialState
from tracking.report.analysis import Analysis
from tracking.report.statistics import pooled_variance
from tracking.report.words import listing, nats, number, plural
from tracking.report.yardstick import Yardstick

LEFT_OUT = (
    TrialState.PRUNED,
    TrialState.FAILED,
    TrialState.STOPPED,
    TrialState.RUNNING,
    TrialState.WAITING,
)
ADAPTIVE = ("tpe", "gp", "cmaes")


def caveats(record: SweepRecord, analyses: Sequence[Analysis]) -> list[str]:
    """Sentences about the whole sweep, then about each table; the most limiting first."""
    sentences = [*_left_out(record), *_yardsticks(analyses), *_timing(record)]
    for analysis in analyses:
        sentences += [*_seeds(analysis), *_pairs(analysis), *_cut(analysis), *_noise(analysis)]
    sentences += _sampler(record)
    for analysis in analyses:
        sentences += _measure(analysis.table.yardstick)
    if analyses:
        sentences.append(
            "Training bounds are not compared: they depend on the K that a trial trains with. All ranking"
            " is by the final validation NLL, which is the same measurement for every K; test data chose"
            " nothing."
        )
    return list(dict.fromkeys(sentences))


def _left_out(record: SweepRecord) -> list[str]:
    counts = record.counts
    missing = [f"{counts[state]} {state}" for state in LEFT_OUT if state in counts]
    if not missing:
        return []
    done = counts.get(TrialState.COMPLETE, 0)
    words = f"{listing(missing)} of {plural(len(record.trials), 'trial')} are left out of every table and fit"
    going = any(state in counts for state in (TrialState.RUNNING, TrialState.WAITING, TrialState.STOPPED))
    sentences = [f"{words}; {done} are complete{': this is not the end of the sweep' if going else ''}."]
    if TrialState.PRUNED in counts:
        sentences.append(
            "The scheduler pruned trials by their early validation NLL. Configurations that start slowly are"
            " missing more often, and the seeds that remain of a configuration are its luckier ones."
        )
    return sentences


def _yardsticks(analyses: Sequence[Analysis]) -> list[str]:
    if len(analyses) < 2:
        return []
    return [
        f"The sweep varies data, likelihood or the final evaluation. NLLs of these {len(analyses)} kinds"
        " are not comparable, so each has its own tables, fits and figures, and no best across them is named."
    ]


def _seeds(analysis: Analysis) -> list[str]:
    rows = analysis.table.configurations
    single = [row for row in rows if len(row.trials) == 1]
    sentences = []
    if len(single) == len(rows):
        sentences.append(
            "One seed a configuration: there is no interval, and no difference between configurations can be"
            " told from the luck of a seed."
        )
    elif single:
        sentences.append(
            f"{plural(len(single), 'configuration')} of {len(rows)} with one complete seed: no interval of"
            " their own; their differences borrow the other configurations' variance."
        )
    if any(len(row.trials) < row.planned for row in rows):
        some = sum(len(row.trials) < row.planned for row in rows)
        sentences.append(f"{plural(some, 'configuration')} with fewer complete seeds than planned.")
    return sentences


def _pairs(analysis: Analysis) -> list[str]:
    sentences = []
    steps = [gain for gain in analysis.gains if not gain.whole]
    unclear = [gain for gain in steps if gain.validation.separable is False]
    if unclear:
        named = [
            f"{g.first.num_samples}→{g.second.num_samples}{f' ({g.stratum})' if g.stratum else ''}"
            for g in unclear
        ]
        sentences.append(
            f"{len(unclear)} of {plural(len(steps), 'step')} up in K not separable in validation NLL: K ="
            f" {listing(named, 6)}."
        )
    rivals = [row.name for row, difference in analysis.against_best if difference.separable is False]
    if rivals:
        sentences.append(f"Not separable from the best ({analysis.best_row.name}): {listing(rivals, 6)}.")
    if len(analysis.table.configurations) > 1:
        sentences.append(
            "The best configuration was chosen by the validation NLL that it is listed with, so that"
            " number and the comparisons with it are optimistic; its test NLL is not."
        )
    return sentences


def _cut(analysis: Analysis) -> list[str]:
    rows = [row for found in analysis.budgets for row in found.rows if row.cut]
    if not rows:
        return []
    named = [f"{row.configuration.name} ({row.cut})" for row in rows]
    return [
        f"At equal seconds {plural(len(rows), 'configuration')} stand cut off in mid-schedule, where"
        f" annealing or learning rate was not made to stop: {listing(named, 6)}."
    ]


def _noise(analysis: Analysis) -> list[str]:
    rows = analysis.table.configurations
    images = [error for row in rows for error in row.values("val_nll_stderr")]
    if not images:
        return []
    words = f"The images alone give a validation NLL a standard error of {nats(fmean(images))} nats"
    pooled = pooled_variance(row.values("val_nll_final") for row in rows)
    if pooled is None:
        return [f"{words}."]
    words += f"; seeds differ with a standard deviation of {number(pooled.variance**0.5, 2)} nats"
    return [
        f"{words}. Intervals are over seeds on the same images: they say what training again would give, not"
        " what other images would."
    ]


def _timing(record: SweepRecord) -> list[str]:
    trials = record.complete
    shared = [trial for trial in trials if trial.timing.get("shared")]
    sentences = []
    if shared:
        reasons = list(dict.fromkeys(str(trial.timing.get("reason") or "no reason kept") for trial in shared))
        sentences.append(
            f"{len(shared)} of {plural(len(trials), 'complete trial')} shared their device or cores while"
            f" they trained ({listing(reasons, 3)}): their seconds are not those of an idle machine."
        )
    machines = {_machine(trial) for trial in trials} - {""}
    if len(machines) > 1:
        sentences.append(
            f"Training seconds come from {len(machines)} machines or devices"
            f" ({listing(sorted(machines), 4)}): differences between them stand in every fit and rate."
        )
    again = sum(len(trial.attempts) > 1 for trial in trials)
    if again:
        sentences.append(f"{plural(again, 'complete trial')} resumed from a checkpoint at least once.")
    return sentences


def _machine(trial: TrialRecord) -> str:
    host = str(trial.attempts[-1].get("hostname", "")) if trial.attempts else ""
    return " ".join(
        filter(None, [host, str(trial.provenance.get("gpu") or trial.provenance.get("cpu") or "")])
    )


def _sampler(record: SweepRecord) -> list[str]:
    search = record.spec.get("search")
    sampler = search.get("sampler") if isinstance(search, dict) else None
    name = sampler.get("name") if isinstance(sampler, dict) else None
    if name not in ADAPTIVE:
        return []
    return [
        f"The {name} sampler chose configurations by the validation NLL of earlier ones: they crowd where"
        " it was low, which bends fits and importances taken over the whole space."
    ]


def _measure(yardstick: Yardstick) -> list[str]:
    sentences = [f"Numbers hold for {yardstick.description}; results of another kind are not comparable."]
    if yardstick.data.binarization == "fixed":
        sentences.append("Fixed binarization is one seeded Bernoulli sample, not Larochelle's static files.")
    if yardstick.data.name == "omniglot":
        sentences.append("torchvision's Omniglot has another split and size than that of Burda et al.")
    if yardstick.likelihood == "gaussian":
        sentences.append(
            "The NLL of a Gaussian likelihood is a density: it depends on the pixels' unit, may be"
            " negative, and compares with no Bernoulli NLL."
        )
    sentences.append(
        f"−L at {yardstick.final_num_samples:,} importance samples is an upper bound on the NLL in"
        f" expectation, and few samples flatter small K: it is printed at {yardstick.few_num_samples:,}"
        " samples as well."
    )
    return sentences
