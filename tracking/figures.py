"""The figures of a trial's run, drawn where MLflow is brought to storage and not by the worker."""

import io
import logging
import tempfile
import threading
from pathlib import Path

import numpy as np

from tracking.records.records import TrialRecord
from tracking.records.source import Unit

_log = logging.getLogger(__name__)
_drawing = threading.Lock()  # matplotlib keeps fonts and caches for all threads


def trial_figures(trial: TrialRecord, unit: Unit) -> dict[str, bytes]:
    """The figures of a complete trial by their paths among its artifacts.

    A figure that cannot be drawn must not keep the numbers from being recorded: then there are none.

    Args:
        trial: what it logged.
        unit: its last, with the arrays that pictures are made of.
    """
    try:
        from tracking.report.stills.trial import write_trial_figures  # loads matplotlib

        with tempfile.TemporaryDirectory(prefix="sweeps-") as folder:
            pictures = {}
            if unit.pictures is not None:
                with np.load(io.BytesIO(unit.pictures), allow_pickle=False) as arrays:
                    pictures = {name: arrays[name] for name in arrays.files}
            with _drawing:
                paths = write_trial_figures(trial, pictures, Path(folder))
            return {f"figures/{path.relative_to(folder)}": path.read_bytes() for path in paths}
    except Exception:
        _log.warning("%s: its figures could not be drawn", trial.plan.name, exc_info=True)
        return {}
