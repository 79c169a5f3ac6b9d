"""No family reads from its device inside an epoch: what a CUDA graph of a step is made of."""

import pytest

from iwae.data.load import load_dataset
from iwae.trainer.optimization import Optimization
from iwae.trainer.trainer import Trainer
from support.families.configs import FAMILIES, tiny
from support.families.reads import NothingRead

GRADIENTS = [name for name in FAMILIES if not tiny(name).model.fitted]


@pytest.mark.parametrize("family", GRADIENTS)
def test_a_step_reads_nothing(family: str) -> None:
    config = tiny(family, objective={"num_samples": 1})
    trained = Trainer(config, load_dataset(config.data))._optimization
    assert isinstance(trained, Optimization)
    trained.step()  # Adam makes its states
    with NothingRead():
        trained.step()
