"""Whether a trained model makes use of its code: a statement for people, and a word to filter runs by.

A code is said to be unused where another item's code would cost the decoder less than ``LEAST_USE``. The rate
alone does not tell: free bits keep it up whether the decoder listens or not.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from iwae.config.schedules import NoAnnealing
from iwae.config.train import TrainConfig
from tracking.statistics.numbers import nats, number

TAG = "sweeps.collapse"
STATEMENT = "sweeps.collapse.statement"
# Nats of an item. `python tests/benchmarks/simulations/collapse.py`: healthy runs use 100 times as much.
LEAST_USE = 0.1
# Nats: below this rate q(z|x) is the prior.
LEAST_RATE = 0.1


class Kind(StrEnum):
    """What became of the code.

    ``NONE``: it is used. ``POSTERIOR``: q(z|x) says nothing of x. ``DECODER``: it says something, and the
    decoder does not listen.
    """

    NONE = "none"
    POSTERIOR = "posterior"
    DECODER = "decoder"


class Collapse(NamedTuple):
    """What is said of a trial.

    Attributes:
        kind: also the value of the tag ``sweeps.collapse``.
        sentence: units, rate and use in numbers.
        cause: the likely cause and what to try; empty where the code is used.
    """

    kind: Kind
    sentence: str
    cause: str


def collapse(config: TrainConfig, final: Mapping[str, float]) -> Collapse | None:
    """The statement about a complete trial; None where it was not measured, or there is no likelihood.

    Args:
        config: of the trial.
        final: its final numbers by MLflow's names.
    """
    if "val/decoder_use" not in final:
        return None
    use, rate = final["val/decoder_use"], final["val/kl"]
    kind = Kind.NONE if use >= LEAST_USE else Kind.POSTERIOR if rate < LEAST_RATE else Kind.DECODER
    units = ""
    if "test/active_units" in final:
        units = f"{final['test/active_units']:.0f} of {config.model.num_units} latent units are active, "
    information = final.get("val/mutual_information")
    known = "" if information is None else f", mutual information {number(information)} nats"
    measured = f"{units}KL {number(rate)} nats{known}"
    if kind is Kind.NONE:
        sentence = f"The code is used: {measured}; another item's code would cost {nats(use)} nats."
        return Collapse(kind, sentence, "")
    what = "The posterior collapsed" if kind is Kind.POSTERIOR else "The decoder ignores the code"
    sentence = f"{what}: {measured}; another item's code would cost {nats(use)} nats."
    return Collapse(kind, sentence, _cause(config))


def _cause(config: TrainConfig) -> str:
    model, objective = config.model, config.objective
    fixed = getattr(model, "observation_std", "learned")
    if objective.beta > 1:
        return f"Likely cause: β = {objective.beta:g} prices the code too high. Try objective.beta: 1."
    if str(model.name) == "autoregressive":
        return (
            "Likely cause: the decoder tells a pixel from those before it. Try a smaller"
            " model.receptive_field, or free bits."
        )
    if model.likelihood == "gaussian" and not isinstance(fixed, str):
        return (
            "Likely cause: the fixed observation_std is as large as what the code could explain. Try"
            " model.observation_std: learned."
        )
    if getattr(objective, "free_bits", 0) > 0:
        return (
            "Likely cause: free bits keep the KL up, whether the decoder listens or not. Try annealing, or"
            " objective.aggressive."
        )
    if isinstance(config.annealing, NoAnnealing):
        return (
            "Likely cause: the KL has its whole weight from the first step. Try annealing: {name: linear},"
            " objective.free_bits (with K = 1), or objective.aggressive."
        )
    return (
        "Annealing did not prevent it: try a longer warm-up, objective.aggressive, a weaker decoder, or look"
        " whether the data have anything to encode."
    )
