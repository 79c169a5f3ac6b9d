"""Kinds of configuration: those of a sweep that take their own time and memory."""

from collections.abc import Iterable

from iwae.config.train import TrainConfig
from sweeps.pace.work import epoch_work
from sweeps.plan.plan import draw_plan
from sweeps.space.choosers import Prober
from sweeps.spec.spec import SweepSpec
from tracking.records.exclusive import shape_of

# Kinds that stand for all: the rest lies between them.
MOST_KINDS = 24
_DRAWS = 256


def kinds(spec: SweepSpec) -> list[TrainConfig]:
    """A configuration of each kind, by work; of very many those that are spread out.

    Of a sampler that learns, kinds that its space holds, its corners among them.
    """
    if spec.is_model_based:
        prober = Prober()
        return spread([spec.configuration(spec.space.draw(prober)) for _ in range(_DRAWS)])
    return spread([trial.config for trial in draw_plan(spec)])


def spread(configs: Iterable[TrainConfig], most: int = MOST_KINDS) -> list[TrainConfig]:
    """One of each shape, by work; of very many shapes those that are spread out."""
    different = sorted({shape_of(config): config for config in configs}.values(), key=epoch_work)
    if len(different) <= most:
        return different
    last = len(different) - 1
    return [different[round(i * last / (most - 1))] for i in range(most)]
