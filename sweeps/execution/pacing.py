"""Equal seconds: measures an epoch of each kind of configuration before the first trial."""

import json
import logging
from collections.abc import Sequence

from iwae.config.train import TrainConfig
from iwae.errors import SweepError
from sweeps.execution.display import Display
from sweeps.pace.equal_seconds import EqualSeconds
from sweeps.pace.work import epoch_work
from sweeps.plan.plan import draw_plan
from sweeps.space.choosers import Prober
from sweeps.spec.resources import Resources
from sweeps.spec.spec import SweepSpec
from tracking.records.exclusive import shape_of

# Kinds of configuration that are measured; the rest lies between them.
MOST_MEASURED = 24
_DRAWS = 256
_SAID = 12
_log = logging.getLogger(__name__)


def paced(spec: SweepSpec, display: Display) -> SweepSpec:
    """The spec, at equal seconds with what an epoch takes; Ray is connected.

    Raises:
        SweepError: the steps that are measured failed.
        ConfigError: the epochs that fit the time do not suit a configuration.
    """
    rule = spec.search.equal_seconds
    if rule is None or rule.measured:
        return spec
    configs = kinds(spec)
    with display.waiting(f"sweep {spec.name}: measuring an epoch of {len(configs)} kinds of configuration"):
        seconds = _measured(configs, spec.resources)
    rule = rule.with_measured(configs, seconds)
    found = spec.paced(rule)
    epochs = {config.objective.num_samples: config.num_epochs for config in map(rule.fitted, configs)}
    each = ", ".join(f"K={k} {count}" for k, count in sorted(epochs.items())) if len(epochs) <= _SAID else ""
    _log.info(
        f"sweep {spec.name}: every configuration trains for {rule.seconds:.3g} s"
        + (f", in epochs: {each}" if each else "")
    )
    return found


def forecast(spec: SweepSpec) -> SweepSpec:
    """The spec, at equal seconds with epochs by the forecast: before anything was measured."""
    rule = spec.search.equal_seconds
    if rule is None or rule.measured or rule.seconds is not None:
        return spec
    configs = kinds(spec)
    return spec.paced(EqualSeconds().with_measured(configs, [epoch_work(config) for config in configs]))


def kinds(spec: SweepSpec) -> list[TrainConfig]:
    """A configuration of each kind that takes its own time; of very many those that are spread out."""
    if spec.is_model_based:
        prober = Prober()
        found = [spec.configuration(spec.space.draw(prober)) for _ in range(_DRAWS)]
    else:
        found = [trial.config for trial in draw_plan(spec)]
    different = sorted({shape_of(config): config for config in found}.values(), key=epoch_work)
    if len(different) <= MOST_MEASURED:
        return different
    last = len(different) - 1
    return [different[round(i * last / (MOST_MEASURED - 1))] for i in range(MOST_MEASURED)]


def _measured(configs: Sequence[TrainConfig], resources: Resources) -> list[float]:
    """Seconds of an epoch of each configuration, measured where a trial would run."""
    import ray

    from sweeps.worker.proven import probed, sources_by_value

    # A worker of its own, which is gone before the first trial takes its GPU.
    asked = ray.remote(num_cpus=resources.cpus, num_gpus=resources.gpus, max_calls=1, max_retries=0)(probed)
    documents = json.dumps([config.to_dict() for config in configs])
    device, threads = "cuda" if resources.gpus else "cpu", max(1, int(resources.cpus))
    try:
        answer: list[float] | str = ray.get(asked.remote(sources_by_value(), documents, device, threads))
    except ray.exceptions.RayError as error:
        why = " ".join(str(error).split())[-300:]
        raise SweepError(f"search.equal_seconds: an epoch could not be measured: {why}") from None
    if isinstance(answer, str):
        raise SweepError(f"search.equal_seconds: an epoch could not be measured: {answer}")
    return answer
