"""What a larger K changes in the model and its gradients, a line for each K, where seeds show it."""

from tracking.analysis.analysis import Analysis
from tracking.analysis.configurations import Configuration
from tracking.analysis.differences import differences
from tracking.statistics.comparisons import Difference
from tracking.statistics.numbers import ends, measured, times


def why(analysis: Analysis) -> list[str]:
    """Every K of the stratum that answers against its smallest, in what is separable; maybe nothing."""
    stratum = analysis.chosen
    if stratum is None or not analysis.replicated:
        return []
    rows = [row for row in stratum.configurations if not row.diverged]
    others = rows[1:]
    said = [line for row in others if (line := _line(analysis, rows[0], row))]
    if said or not others:
        return said
    return ["Active units, effective sample size and encoder SNR are not separable between these K's."]


def _line(analysis: Analysis, first: Configuration, row: Configuration) -> str:
    parts = [part for column in _PARTS if (part := _part(analysis, first, row, column))]
    start = f"K = {row.num_samples} against K = {first.num_samples}"
    return f"{start}: {'; '.join(parts)}." if parts else ""


_PARTS = ("active_units", "ess", "encoder_snr")


def _part(analysis: Analysis, first: Configuration, row: Configuration, column: str) -> str:
    """What one quantity says; empty where it is not separable. Ratios are compared by their logarithms."""
    counts = column == "active_units"
    (found,) = differences(analysis.table, [(first, row)], column, logarithmic=not counts)
    if found is None or not found.separable:
        return ""
    if counts:
        return _units(found, first, row)
    ratio, interval = times(found)
    if column == "ess":
        fits = "fits the posterior better" if found.value > 0 else "fits the posterior less closely"
        return f"the encoder {fits} (effective sample size {ratio} {interval})"
    clear = "clearer" if found.value > 0 else "noisier"
    return f"its gradients are {clear} (encoder SNR {ratio} {interval})"


def _units(found: Difference, first: Configuration, row: Configuration) -> str:
    interval = ends(found)
    if interval is not None and found.value < 0:
        interval = (-interval[1], -interval[0])
    sizes = {one.trials[0].config.model.num_units for one in (first, row)}
    if interval is not None:  # no more than there are
        interval = (interval[0], min(interval[1], max(sizes)))
    shown, bracket = measured(abs(found.value), interval)
    of = f" of {sizes.pop()}" if len(sizes) == 1 else ""
    return f"it uses {shown} {'more' if found.value > 0 else 'fewer'} latent units{of} {bracket}".rstrip()
