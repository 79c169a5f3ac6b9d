from typing import Any

import pytest

from iwae.config.train import TrainConfig
from iwae.errors import ConfigError
from sweeps.execution.data_sets import refuse_mixed
from tracking.records.records import PlannedTrial, SweepRecord, TrialRecord, TrialState
from tracking.records.shapes import Attempt


def planned(seed: int, binarization: str) -> PlannedTrial:
    values: dict[str, Any] = {
        "data": {"name": "digits", "binarization": binarization},
        "model": {"output_bias": "train_mean"},
        "seed": seed,
    }
    return PlannedTrial(seed, {}, TrainConfig.parse(values))


@pytest.mark.parametrize("binarization", ["threshold", "dynamic"])
@pytest.mark.parametrize("definitions", [None, 2])
def test_seeds_that_are_trained_otherwise_are_never_added_to_a_configuration(
    binarization: str, definitions: int | None
) -> None:
    plan = [planned(seed, binarization) for seed in (0, 1)]
    noted = {} if definitions is None else {"definitions": definitions}
    attempt = Attempt(started=1.0, provenance={"device": "cpu", **noted})
    begun = TrialRecord(plan[0], TrialState.COMPLETE, attempts=(attempt,))
    record = SweepRecord("x", "/storage", {}, {}, (), (begun,))
    refuse_mixed(record, plan[:1])  # is done
    if binarization == "threshold" and definitions is None:
        with pytest.raises(ConfigError, match=r"K=1 D=20 cannot go on: when it began the output bias"):
            refuse_mixed(record, plan)
    else:
        refuse_mixed(record, plan)
