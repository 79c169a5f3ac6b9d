"""``tradeoff.csv``: a table of the report as text for programs."""

import csv
import io

from tracking.analysis.configurations import Configuration, Table, text

CSV_COLUMNS = (
    "train_seconds",
    "seconds_per_epoch",
    "val_nll_final",
    "test_nll",
    "active_units",
    "ess",
    "encoder_snr",
    "peak_memory_bytes",
    "train_seconds_exclusive",  # what is added later stands behind
    "val_reconstruction_mse",
    "test_reconstruction_mse",
)


def table_name(index: int) -> str:
    """The file of a table: the one with most trials is ``tradeoff.csv``, the next ``tradeoff-2.csv``."""
    return "tradeoff.csv" if index == 0 else f"tradeoff-{index + 1}.csv"


def to_csv(table: Table | None) -> str:
    """A row per configuration: its varied parameters, ``seeds``, mean, low and high of ``CSV_COLUMNS``.

    low and high are the ends of the 95 % interval over seeds, empty with one seed: a t-interval for NLLs, on
    the log scale and within what is possible for the rest. A part of the configuration that is varied whole
    (``annealing``) has one column per leaf (``annealing.name``). The last column, ``evidence``, says what an
    NLL is: an ``estimate`` (−L at the final number of samples), an upper ``bound``, ``exact``; ``none`` where
    the model has no likelihood.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    ends = [f"{column}_{end}" for column in CSV_COLUMNS for end in ("mean", "low", "high")]
    writer.writerow([*(table.paths if table else ()), "seeds", *ends, "evidence"])
    for row in table.configurations if table else ():
        cells: list[object] = [text(row.parameters.get(path)) for path in table.paths] if table else []
        writer.writerow([*cells, *measured(row).values(), row.evidence])
    return out.getvalue()


def measured(row: Configuration) -> dict[str, float | None]:
    """``seeds``, then mean, low and high of ``CSV_COLUMNS``, by column; None where there is no value."""
    values: dict[str, float | None] = {"seeds": len(row.trials)}
    for column in CSV_COLUMNS:
        found = row.estimate(column)
        ends = (None, None, None) if found is None else (found.mean, found.low, found.high)
        values.update(zip((f"{column}_{end}" for end in ("mean", "low", "high")), ends, strict=True))
    return values
