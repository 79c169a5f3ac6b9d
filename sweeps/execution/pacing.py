"""Equal seconds: measures an epoch of each kind of configuration before the first trial."""

import logging
from collections.abc import Sequence

from iwae.config.train import TrainConfig
from iwae.errors import SweepError
from sweeps.execution.display import Display
from sweeps.execution.probing import probed_in_worker
from sweeps.pace.equal_seconds import EqualSeconds
from sweeps.pace.work import epoch_work
from sweeps.plan.kinds import kinds
from sweeps.spec.spec import SweepSpec
from tracking.records.shapes import ShapeProbe

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
        try:
            found = probed_in_worker(configs, spec.resources)
        except SweepError as error:
            raise SweepError(f"search.equal_seconds: an epoch could not be measured: {error}") from None
    measured = fitted(spec, list(zip(configs, found, strict=True)))
    rule = measured.search.equal_seconds
    assert rule is not None
    epochs = {config.objective.num_samples: config.num_epochs for config in map(rule.fitted, configs)}
    each = ", ".join(f"K={k} {count}" for k, count in sorted(epochs.items())) if len(epochs) <= _SAID else ""
    _log.info(
        f"sweep {spec.name}: every configuration trains for {rule.seconds:.3g} s"
        + (f", in epochs: {each}" if each else "")
    )
    return measured


def fitted(spec: SweepSpec, probed: Sequence[tuple[TrainConfig, ShapeProbe]]) -> SweepSpec:
    """The spec, at equal seconds with the epochs that fit what was probed of all its shapes."""
    rule = spec.search.equal_seconds
    if rule is None or rule.measured:
        return spec
    seconds = [probe.step_seconds * probe.steps_per_epoch for _, probe in probed]
    return spec.paced(rule.with_measured([config for config, _ in probed], seconds))


def forecast(spec: SweepSpec) -> SweepSpec:
    """The spec, at equal seconds with epochs by the forecast: before anything was measured."""
    rule = spec.search.equal_seconds
    if rule is None or rule.measured or rule.seconds is not None:
        return spec
    configs = kinds(spec)
    return spec.paced(EqualSeconds().with_measured(configs, [epoch_work(config) for config in configs]))
