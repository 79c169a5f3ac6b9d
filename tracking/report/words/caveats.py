"""What the report cannot say, said."""

from collections.abc import Sequence
from statistics import fmean

from tracking.analysis.analysis import Analysis
from tracking.records.contents import repeated_images
from tracking.records.records import SweepRecord
from tracking.records.yardstick import Yardstick
from tracking.report.words.trials import codes, left_out, sampling, timing
from tracking.statistics.comparisons import common_spread
from tracking.statistics.numbers import listing, nats, plural


def caveats(record: SweepRecord, analyses: Sequence[Analysis]) -> list[str]:
    """Sentences about the whole sweep, then about each table; the most limiting first."""
    sentences = [*left_out(record), *codes(record), *_yardsticks(analyses)]
    sentences += [*repeated_images(record), *timing(record)]
    for analysis in analyses:
        sentences += [*_diverged(analysis), *_seeds(analysis), *_looks(analysis)]
        sentences += [*_pairs(analysis), *_cut(analysis), *_noise(analysis)]
    sentences += sampling(record)
    for analysis in analyses:
        sentences += [*_measure(analysis.table.yardstick), *_num_train(analysis)]
    if analyses:
        sentences.append(
            "Training bounds are not compared: they depend on the K that a trial trains with. All ranking"
            " is by the final validation NLL, which is the same measurement for every K; no choice was"
            " based on test data."
        )
    return list(dict.fromkeys(sentences))


def _yardsticks(analyses: Sequence[Analysis]) -> list[str]:
    if len(analyses) < 2:
        return []
    return [
        f"The sweep varies data, likelihood or the final evaluation. NLLs of these {len(analyses)} kinds"
        " are not comparable, so each has its own tables, fits and figures, and no best across them is named."
    ]


def _diverged(analysis: Analysis) -> list[str]:
    rows = [row for row in analysis.table.configurations if row.diverged]
    if not rows:
        return []
    named = listing([f"{row.name} ({row.diverged})" for row in rows], 4)
    return [
        f"{plural(len(rows), 'configuration')} diverged: {named}. The tables show what was measured; no"
        " interval of a difference, no spread between seeds, no front and no best takes it in."
    ]


def _looks(analysis: Analysis) -> list[str]:
    looks = analysis.table.looks
    if looks == 1 or not analysis.replicated:
        return []
    return [
        f"Seeds were added after the sweep had ended, so this is look {looks} at these comparisons. Adding"
        " seeds until something is separable finds something in the end: each interval is held to an error"
        f" rate of 5 % / {looks}. How many seeds to train is best decided before the first look."
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
            f"{plural(len(single), 'configuration')} of {len(rows)} with one complete seed: nothing is"
            " known of how much their seeds differ, so no difference with them has an interval."
        )
    if len(single) < len(rows) and max(len(row.trials) for row in rows) == 2:
        sentences.append(
            "Two seeds a configuration at most: an interval has one degree of freedom and is wide. About 18"
            " standard deviations between seeds separate two configurations; with three seeds 4 are enough."
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
        be = "is" if len(unclear) == 1 else "are"
        sentences.append(
            f"{len(unclear)} of {plural(len(steps), 'step')} up in K {be} not separable in validation NLL:"
            f" K = {listing(named, 6)}."
        )
    rivals = [row.name for row, difference in analysis.against_best if difference.separable is False]
    if rivals:
        sentences.append(f"Not separable from the best ({analysis.best_row.name}): {listing(rivals, 6)}.")
    if len(analysis.table.configurations) > 1:
        sentences.append(
            "The best configuration was chosen by the validation NLL that it is listed with, so that number"
            f" is optimistic{_group_too(analysis)}; comparisons with it take the choice into account, and its"
            " test NLL had no part in it."
        )
    return sentences


def _group_too(analysis: Analysis) -> str:
    chosen = analysis.chosen
    if chosen is None or not chosen.label or analysis.best_row not in chosen.configurations:
        return ""
    return f", and so may be the answer, which is given for its group ({chosen.label})"


def _cut(analysis: Analysis) -> list[str]:
    rows = [row for found in analysis.budgets for row in found.rows if row.cut]
    if not rows:
        return []
    named = [f"{row.configuration.name} ({row.cut})" for row in rows]
    be = "is" if len(rows) == 1 else "are"
    return [
        f"At equal seconds {plural(len(rows), 'configuration')} {be} cut off in mid-schedule, before"
        f" annealing or learning rate reach their end: {listing(named, 6)}."
    ]


def _noise(analysis: Analysis) -> list[str]:
    rows = analysis.table.steady
    images = [error for row in rows for error in row.values("val_nll_stderr")]
    if not images:
        return []
    words = f"From the images alone a validation NLL has a standard error of {nats(fmean(images))} nats"
    found = common_spread([row.values("val_nll_final") for row in rows])
    if found is None:
        return [f"{words}."]
    words += f"; seeds differ with a standard deviation of {nats(found.variance**0.5)} nats"
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
        return [f"Every model learned from the first {found[0]:,} training images only."]
    return [
        "Configurations learned from different numbers of training images; validation and test images are"
        " the same for all, so their NLLs compare."
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
    also = ""
    if yardstick.few_num_samples < yardstick.final_num_samples:
        also = f": the NLL is given at {yardstick.few_num_samples:,} samples as well"
    sentences.append(
        f"−L at {yardstick.final_num_samples:,} importance samples is an upper bound on the NLL in"
        f" expectation, and few samples flatter small K{also}."
    )
    return sentences
