"""The limits of the report in sentences."""

from collections.abc import Sequence
from statistics import fmean

from tracking.analysis.analysis import Analysis
from tracking.analysis.differences import power_of
from tracking.analysis.trials.columns import SCORE
from tracking.records.contents import data_remarks
from tracking.records.records import SweepRecord
from tracking.report.words.answers.models import asked, evidence
from tracking.report.words.trials import codes, left_out, sampling, timing
from tracking.statistics.comparisons import common_spread
from tracking.statistics.numbers import listing, nats, plural

_RECONSTRUCTION = (
    "The reconstruction error is the mean squared difference of an item and its reconstruction, over items"
    " and dimensions. It says nothing about how probable the data are: a model that copies has an error of 0."
)


def caveats(record: SweepRecord, analyses: Sequence[Analysis]) -> list[str]:
    """Sentences about the whole sweep, then about each table; the most limiting first."""
    sentences = [*left_out(record), *codes(record), *_yardsticks(analyses)]
    sentences += [*data_remarks(record.data), *timing(record)]
    for analysis in analyses:
        sentences += [*_diverged(analysis), *_seeds(analysis), *_looks(analysis)]
        sentences += [*_pairs(analysis), *_cut(analysis), *_noise(analysis)]
    sentences += sampling(record)
    for analysis in analyses:
        sentences += [*_measure(analysis), *_num_train(analysis)]
    if analyses:
        sentences.append(
            "Training bounds are not compared: they depend on the K that a trial trains with. All ranking"
            f" is by the final validation {listing(_names(analyses))}, which is the same measurement for"
            " every K; no choice was based on test data."
        )
    return list(dict.fromkeys(sentences))


def _names(analyses: Sequence[Analysis]) -> list[str]:
    """What the tables are ranked by."""
    return list(dict.fromkeys(analysis.table.score.name for analysis in analyses))


def _yardsticks(analyses: Sequence[Analysis]) -> list[str]:
    if len(analyses) < 2:
        return []
    without = [one for one in analyses if not one.table.score.is_likelihood]
    said = []
    if len(analyses) - len(without) > 1:
        said.append(
            "The sweep varies data, likelihood or the final evaluation. NLLs of these"
            f" {len(analyses) - len(without)} groups are not comparable, so each has its own tables, fits"
            " and figures, and no best across them is named."
        )
    if without:
        said.append(
            "Models without a likelihood have a table of their own, ranked by reconstruction error; they are"
            " not compared with the others by NLL."
        )
    return said


def _diverged(analysis: Analysis) -> list[str]:
    rows = [row for row in analysis.table.configurations if row.diverged]
    if not rows:
        return []
    named = listing([f"{row.name} ({row.diverged})" for row in rows], 4)
    return [
        f"{plural(len(rows), 'configuration')} diverged: {named}. The tables show what was measured;"
        " intervals of differences, the spread between seeds, the Pareto front and the best exclude them."
    ]


def _looks(analysis: Analysis) -> list[str]:
    looks = analysis.table.looks
    if looks == 1 or not analysis.replicated:
        return []
    return [
        f"Seeds were added after the sweep had ended, so this is look {looks} at these comparisons. Adding"
        " seeds until something is separable finds a difference by chance sooner or later, so each interval"
        f" has an error rate of 5 % / {looks}. It is best to decide on the number of seeds before the first"
        " look."
    ]


def _seeds(analysis: Analysis) -> list[str]:
    rows = analysis.table.configurations
    single = [row for row in rows if len(row.trials) == 1]
    sentences = []
    if len(single) == len(rows):
        sentences.append(
            "One seed per configuration: there are no intervals, and a difference between configurations may"
            " be chance."
        )
    elif single:
        have = "has" if len(single) == 1 else "have"
        sentences.append(
            f"{len(single)} of {plural(len(rows), 'configuration')} {have} only one complete seed: their"
            " spread between seeds is unknown, so no difference from them has an interval."
        )
    if len(single) < len(rows) and max(len(row.trials) for row in rows) == 2:
        sentences.append(
            "At most two seeds per configuration: an interval has one degree of freedom and is wide."
        )
    if any(len(row.trials) < row.planned for row in rows):
        some = sum(len(row.trials) < row.planned for row in rows)
        have = "has" if some == 1 else "have"
        sentences.append(f"{plural(some, 'configuration')} {have} fewer complete seeds than planned.")
    return sentences


def _pairs(analysis: Analysis) -> list[str]:
    sentences, score = [], analysis.table.score
    name = score.name
    near = (row for row, difference in analysis.against_best if difference.separable is False)
    rival = next(near, None)
    found = None if rival is None else power_of(analysis.table, analysis.best_row, rival)
    if found is not None:
        sentences.append(
            f"With these seeds a difference from the best below {score.amount(found.smallest)} is separable"
            " in fewer than 80 % of sweeps: not separable does not mean equal."
        )
    if len(analysis.table.configurations) > 1:
        sentences.append(
            f"The best configuration was chosen by the validation {name} that is listed for it, so that"
            f" number is optimistic{_group_too(analysis)}. Comparisons with it account for the choice; its"
            f" test {name} was not used."
        )
    return sentences


def _group_too(analysis: Analysis) -> str:
    chosen = analysis.chosen
    if chosen is None or not chosen.label or analysis.best_row not in chosen.configurations:
        return ""
    return f", and the answer, given for its group ({chosen.label}), may be too"


def _cut(analysis: Analysis) -> list[str]:
    rows = [row for found in analysis.budgets for row in found.rows if row.cut]
    if not rows or analysis.table.equal_seconds is not None:
        return []
    named = [f"{row.configuration.name} ({row.cut})" for row in rows]
    be = "is" if len(rows) == 1 else "are"
    return [
        f"At equal seconds {plural(len(rows), 'configuration')} {be} cut off in mid-schedule, before"
        f" annealing or learning rate reaches its end: {listing(named, 6)}."
    ]


def _noise(analysis: Analysis) -> list[str]:
    rows = analysis.table.steady
    images = [error for row in rows for error in row.values("val_nll_stderr")]
    if not images:
        return []
    words = f"The choice of images gives a validation NLL a standard error of {nats(fmean(images))} nats"
    found = common_spread([row.values(SCORE) for row in rows])
    if found is None:
        return [f"{words}."]
    words += f"; the standard deviation between seeds is {nats(found.variance**0.5)} nats"
    return [
        f"{words}. Intervals are over seeds on the same images: they say what training again would give, not"
        " what other images would."
    ]


def _num_train(analysis: Analysis) -> list[str]:
    counts = {row.trials[0].config.data.num_train for row in analysis.table.configurations}
    found = sorted(count for count in counts if count is not None)
    if not found:
        return []
    if len(counts) == 1:
        return [f"Every model was trained on the first {found[0]:,} training images only."]
    return [
        "Configurations were trained on different numbers of training images; validation and test images are"
        " the same for all, so their NLLs are comparable."
    ]


def _measure(analysis: Analysis) -> list[str]:
    yardstick = analysis.table.yardstick
    sentences = [f"All numbers are for {yardstick.description}; others are not comparable."]
    if yardstick.data.binarization == "fixed":
        sentences.append("Fixed binarization is one seeded Bernoulli sample, not Larochelle's static files.")
    if yardstick.data.name == "omniglot":
        sentences.append("torchvision's Omniglot differs in split and size from that of Burda et al.")
    if not yardstick.score.is_likelihood:
        return [*sentences, _RECONSTRUCTION]
    if yardstick.measure == "density":
        sentences.append(
            "The NLL of a density is in the unit of the data, may be negative, and is not comparable with an"
            " NLL of binary pixels or bytes."
        )
    if yardstick.conditional:
        sentences.append(
            "These NLLs are of x given y: what the model is told of each item costs nothing in them, so they"
            " are not comparable with NLLs of x."
        )
    sentences += [] if asked(analysis) else evidence(analysis)  # else the answer says it
    if not any(row.evidence == "estimate" for row in analysis.table.configurations):
        return sentences
    also = ""
    if yardstick.few_num_samples < yardstick.final_num_samples:
        also = f": the NLL is given at {yardstick.few_num_samples:,} samples as well"
    sentences.append(
        f"−L at {yardstick.final_num_samples:,} importance samples is an upper bound on the NLL in"
        f" expectation, and few samples flatter small K{also}."
    )
    return sentences
