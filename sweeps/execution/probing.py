"""Probes of shapes: in a process of its own before a sweep, in workers with nothing beside them after it."""

import json
import logging
import math
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from iwae.config.train import TrainConfig
from iwae.errors import SweepError
from sweeps.execution.display import Display
from sweeps.pace.work import RATE, step_work
from sweeps.plan.kinds import spread
from sweeps.plan.probes import device_of, keep, kept
from sweeps.spec.resources import Resources
from sweeps.spec.spec import SweepSpec
from tracking.errors import StorageError
from tracking.records.exclusive import machine_kind, shape_of
from tracking.records.records import SweepRecord
from tracking.records.shapes import ShapeProbe
from tracking.storage.sessions import Session

if TYPE_CHECKING:
    import ray

# A shape whose step takes longer, by its operations, is not measured: its seconds follow from the others'.
MOST_STEP_SECONDS = 20.0
# Seconds that the rounds of all shapes may take, about.
PLAN_SECONDS, EXCLUSIVE_SECONDS = 20.0, 15.0
# A sweep that trained for less is not probed: that would take as long as its trials did.
LEAST_TRAINED = 5.0
# Shapes that are measured after a sweep: its report needs those of all trials, or of none.
MOST_SHAPES = 100
_LOOK_SECONDS = 0.5
_log = logging.getLogger(__name__)


def _measurable(configs: Iterable[TrainConfig]) -> list[TrainConfig]:
    return [config for config in configs if step_work(config) / RATE <= MOST_STEP_SECONDS]


def probed_here(
    configs: Sequence[TrainConfig], resources: Resources, display: Display
) -> list[tuple[TrainConfig, ShapeProbe]]:
    """What each configuration's shape takes on this machine: kept from before, or measured now.

    Raises:
        SweepError: the steps that are measured failed.
    """
    known = kept(configs, resources)
    missing = [config for config in _measurable(configs) if shape_of(config) not in known]
    if missing:
        with display.waiting(f"measuring {_shapes(len(missing))}, alone on one core or GPU"):
            found = _in_a_process(missing, resources)
        for config, probe in zip(missing, found, strict=True):
            keep(config, resources, probe)
            known[probe.shape] = probe
    return [(config, known[shape]) for config in configs if (shape := shape_of(config)) in known]


def _shapes(number: int) -> str:
    return f"{number} kind{'' if number == 1 else 's'} of configuration"


def _in_a_process(configs: Sequence[TrainConfig], resources: Resources) -> list[ShapeProbe]:
    device, threads = device_of(resources)
    asked = {"device": device, "threads": threads, "most_seconds": PLAN_SECONDS}
    done = subprocess.run(
        [sys.executable, "-m", "sweeps.worker.probe"],
        input=json.dumps({**asked, "configs": [config.to_dict() for config in configs]}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        why = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise SweepError(f"the probe failed (--no-probe leaves it out): {why}")
    return [ShapeProbe.from_dict(one) for one in json.loads(done.stdout)]


def probed_in_worker(configs: Sequence[TrainConfig], resources: Resources) -> list[ShapeProbe]:
    """What each configuration's shape takes where a trial would run; Ray is connected.

    Raises:
        SweepError: the steps that are measured failed.
    """
    return _answer(_asked(configs, resources, math.inf, {}), lambda: False) or []


@dataclass(frozen=True)
class _Kind:
    """Trials on one kind of machine.

    Attributes:
        hostname: of a machine of this kind.
        configs: one of each shape.
    """

    hostname: str
    configs: list[TrainConfig]


def probe_alone(spec: SweepSpec, session: Session, record: SweepRecord, display: Display) -> None:
    """After the trials, when nothing else runs: seconds of a step of each shape, kept in storage.

    A stop ends it; what could not be measured is told and costs no more than that.
    """
    storage, asked = session.storage, _unknown(record)
    if not asked or storage.stop_requested() is not None or _trained(record) < LEAST_TRAINED:
        return
    number = sum(len(kind.configs) for kind in asked)
    with display.waiting(f"sweep {spec.name}: measuring {_shapes(number)} alone"):
        for kind in asked:
            try:
                where = _on(kind.hostname)
                work = _asked(kind.configs, spec.resources, EXCLUSIVE_SECONDS, where)
                found = _answer(work, lambda: storage.stop_requested() is not None)
                if found is None:
                    return
                storage.add_probes(found)
                if kind.hostname == socket.gethostname():  # the next sweep's forecast is known at once
                    for config, one in zip(kind.configs, found, strict=True):
                        keep(config, spec.resources, one)
            except (SweepError, StorageError) as error:
                _log.info(f"sweep {spec.name}: seconds are not measured alone on {kind.hostname}: {error}")


def _trained(record: SweepRecord) -> float:
    return sum(trial.train_seconds for trial in record.complete)


def _unknown(record: SweepRecord) -> list[_Kind]:
    """Shapes of complete trials that were not probed yet on a kind of machine that some of them ran on.

    Every shape on each kind, also where no trial of it ran there: one axis holds seconds of one kind.
    """
    known = {(probe.shape, probe.machine) for probe in record.probes}
    shapes = {shape_of(trial.config): trial.config for trial in record.complete}
    hosts: dict[str, str] = {}  # the newest machine of a kind is the likeliest to be there still
    for trial in record.complete:
        machine, last = machine_kind(trial.provenance), trial.attempts[-1]
        if last is not None and machine:
            hosts[machine] = last.hostname
    found = []
    for machine, hostname in hosts.items():
        missing = [config for shape, config in shapes.items() if (shape, machine) not in known]
        found.append(_Kind(hostname, _measurable(spread(missing, MOST_SHAPES))))
    return [kind for kind in found if kind.configs]


def _on(hostname: str) -> dict[str, Any]:
    """Options of a task that runs on this machine of the cluster.

    Raises:
        SweepError: it is not there.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    for node in ray.nodes():  # type: ignore[no-untyped-call]
        if node["Alive"] and node["NodeManagerHostname"] == hostname:
            strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            return {"scheduling_strategy": strategy}
    raise SweepError("that machine is not in the cluster")


def _asked(
    configs: Sequence[TrainConfig], resources: Resources, most_seconds: float, options: dict[str, Any]
) -> "ray.ObjectRef[Any]":
    """The probe's task, in a worker of its own, which is gone with its GPU when it has answered."""
    import ray

    from sweeps.worker.proven import probed, sources_by_value

    task = ray.remote(
        num_cpus=resources.cpus, num_gpus=resources.gpus, max_calls=1, max_retries=0, **options
    )(probed)
    documents = json.dumps([config.to_dict() for config in configs])
    return task.remote(sources_by_value(), documents, *device_of(resources), most_seconds)


def _answer(task: "ray.ObjectRef[Any]", stopped: Callable[[], bool]) -> list[ShapeProbe] | None:
    """What the task found; None once it was stopped.

    Raises:
        SweepError: it failed.
    """
    import ray

    try:
        while not ray.wait([task], timeout=_LOOK_SECONDS)[0]:
            if stopped():
                ray.cancel(task, force=True)
                return None
        answer: list[dict[str, Any]] | str = ray.get(task)
    except ray.exceptions.RayError as error:
        raise SweepError(" ".join(str(error).split())[-300:]) from None
    if isinstance(answer, str):
        raise SweepError(answer)
    return [ShapeProbe.from_dict(one) for one in answer]
