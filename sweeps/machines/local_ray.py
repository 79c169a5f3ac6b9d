"""The Ray cluster that a sweep runs on: started here, or joined."""

import contextlib
import logging
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from iwae.errors import ConfigError, SweepError
from sweeps.execution.display import Display
from sweeps.machines import machine
from sweeps.machines.admission import DRIVER_BYTES, largest_trial
from sweeps.machines.capacity import Node, at_once, check_fits, unused_gpus, waiting
from sweeps.machines.first_worker import await_cluster_worker, await_first_worker, told_if_silent
from sweeps.process import signals
from sweeps.spec.resources import Resources
from sweeps.spec.spec import SweepSpec
from sweeps.spec.surroundings import make_environment_absolute
from tracking.addresses import reach
from tracking.addresses.secrets import without_secrets_of
from tracking.addresses.uris import shown
from tracking.errors import RecordError
from tracking.statistics.numbers import plural

_log = logging.getLogger(__name__)

# Ray reads these when it is imported or started; what the user has set stays.
RAY_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
    "TUNE_MAX_PENDING_TRIALS_PG": "2",
    "TUNE_WARN_THRESHOLD_S": "60",
    "RAY_DEDUP_LOGS": "0",
    # A job that somebody submitted has a working folder of its own: the workers' is the driver's code.
    "RAY_OVERRIDE_JOB_RUNTIME_ENV": "1",
    # On a busy machine its processes need longer than the 30 s that it would wait.
    "RAY_raylet_start_wait_time_s": "120",
    # Else it waits for a first worker before it hears Ctrl-C, forever where none can start.
    "RAY_prestart_worker_first_driver": "0",
}

# A socket's path has at most 107 bytes; below the temporary folder Ray's has up to 70.
MOST_TMPDIR_BYTES = 36
# A worker with PyTorch and a small trial.
WORKER_BYTES = 2**29


def check_resources(spec: SweepSpec, address: str | None) -> None:
    """Refuse what this machine cannot give; a cluster's nodes are asked once Ray is connected.

    Raises:
        ConfigError: more CPUs or GPUs than there are.
        RecordError: no cluster answers at the address.
    """
    if address is not None:
        _set_environment(address)
        _probe(address)
        return
    _check_at_most(spec.resources.cpus, machine.cpus(), "cpus")
    if spec.resources.gpus > machine.gpus():
        refuse_too_many_gpus(spec, address)  # in all likelihood; PyTorch, which takes seconds, knows better


def refuse_too_many_gpus(spec: SweepSpec, address: str | None) -> None:
    """Refuse more GPUs than PyTorch can use on this machine; `check_resources` only asks the driver.

    Raises:
        ConfigError: there are fewer.
    """
    if address is None and spec.resources.gpus:
        import torch

        gpus = machine.Limit(torch.cuda.device_count(), "the GPUs that PyTorch sees on this machine")
        _check_at_most(spec.resources.gpus, gpus, "gpus")


def _check_at_most(asked: float, limit: machine.Limit, name: str) -> None:
    if asked > limit.most:
        raise ConfigError(
            f"resources.{name}", f"{asked:g} is not allowed: must be <= {limit.most:g}, {limit.why}"
        )


def local_cpus(resources: Resources, trial_bytes: int = 0) -> tuple[int, list[str]]:
    """The CPUs that a sweep takes of this machine.

    Args:
        resources: of a trial.
        trial_bytes: memory that its largest trial takes.

    Returns:
        Their number, and what is to be said of it in lines.
    """
    limit, said = machine.cpus(), []
    number = int(limit.most)
    if number < (os.cpu_count() or 1):
        said.append(f"takes {number} of {os.cpu_count()} CPUs: {limit.why}")
    memory = machine.memory()
    each = WORKER_BYTES if resources.gpus else max(WORKER_BYTES, trial_bytes)
    together = max(1, int((memory.most - DRIVER_BYTES) / each))
    if together < number / resources.cpus:
        number = max(1, int(together * resources.cpus))
        said.append(f"runs at most {plural(together, 'trial')} at once: {memory.why}")
    return number, said


@contextlib.contextmanager
def ray_cluster(spec: SweepSpec, address: str | None, display: Display) -> Iterator[int]:
    """Ray, started here or connected, and shut down again; gives how many trials fit at once.

    Raises:
        ConfigError: a trial asks for more than the cluster has.
        RecordError: no cluster answers at the address.
        SweepError: Ray, or a worker of it, cannot start here.
    """
    number, said = (0, []) if address else local_cpus(spec.resources, largest_trial(spec))
    options: dict[str, Any] = {"logging_level": logging.CRITICAL, "log_to_driver": False, "address": address}
    if address is None:
        options |= {"address": "local", "include_dashboard": False, "num_cpus": number}
    _set_environment(address)
    import ray

    # A lost worker is tried again and told by the trial's attempts: no traceback of Tune's own.
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    with stdout_to_stderr():
        hint = contextlib.nullcontext() if address is None else told_if_silent()
        with display.waiting(f"sweep {spec.name}: starting Ray"), hint:
            _start(options)
        try:
            if address is None:
                with display.waiting(f"sweep {spec.name}: starting workers"):
                    await_first_worker(spec.resources, number)
            nodes = [Node(number, machine.gpus())]
            if address is not None:
                nodes = _nodes()
                said = _cluster_remarks(spec, nodes, display)
            for line in [*said, *unused_gpus(spec.resources, nodes)]:
                _log.info(f"sweep {spec.name}: {line}")
            yield at_once(spec.resources, nodes)
        finally:
            ray.shutdown()


def _cluster_remarks(spec: SweepSpec, nodes: list[Node], display: Display) -> list[str]:
    """What is to be said of a cluster, once it started a worker or is in use by others.

    Raises:
        ConfigError: a trial asks for more than a node has.
        SweepError: there is room for a worker, and none starts.
    """
    check_fits(spec.resources, nodes)
    why = waiting(spec.resources, nodes)
    if why is None:
        with display.waiting(f"sweep {spec.name}: starting a worker"):
            why = await_cluster_worker(spec.resources, lambda: waiting(spec.resources, _nodes()))
    return [] if why is None else [f"waiting for resources: {why}"]


def _set_environment(address: str | None) -> None:
    """What Ray reads from the environment when it is imported and started."""
    for name, value in RAY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    make_environment_absolute()
    if address is None:
        # Ray's servers then listen on 127.0.0.1; else on every address, open to other machines.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        _shorten_socket_paths()
        # Ray would make a token itself, in a file in the home folder that others can read (0644) and that
        # switches the user's later clusters to it. This one is in the environment of the sweep's processes.
        if not os.environ.get("RAY_AUTH_TOKEN_PATH"):
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def _shorten_socket_paths() -> None:
    """Put Ray's sockets in /tmp where the path of the temporary folder is too long for them.

    Raises:
        RecordError: no folder that is short enough may be written in.
    """
    name = "RAY_TMPDIR" if "RAY_TMPDIR" in os.environ else "TMPDIR"
    folder = os.environ.get(name, "/tmp")
    if len(os.fsencode(folder)) <= MOST_TMPDIR_BYTES:
        return
    if name == "RAY_TMPDIR" or not os.access("/tmp", os.W_OK | os.X_OK):
        raise RecordError(
            f"{name}: {folder} is not allowed: must have at most {MOST_TMPDIR_BYTES} bytes for Ray's"
            " sockets: set RAY_TMPDIR to a shorter folder"
        )
    os.environ["RAY_TMPDIR"] = "/tmp"


def _start(options: dict[str, Any], *, last: bool = False) -> None:
    """Start Ray, at the second try if need be, or connect to it; SIGTERM stays what it was."""
    import ray

    try:
        # Ray's own handler of SIGTERM exits with 15 and not a word, and would stay for the whole sweep.
        with _packed_code() as folder, signals.kept_from_children(), signals.kept():
            ray.init(runtime_env={"working_dir": folder}, **options)
    except RecordError:
        raise
    except SystemExit:
        raise KeyboardInterrupt from None
    except ConnectionError as error:
        address = options["address"]
        reason = without_secrets_of(address, str(error))
        raise RecordError(f"no Ray cluster answers at {shown(address)}: {reason}") from None
    except Exception as error:  # Ray has no exception of its own for this
        why = f"Ray did not start: {' '.join(str(error).split())[:300]}"
        if last or options["address"] != "local":
            raise SweepError(why) from None
        # Ray gives a node 30 s to start, which a busy machine may exceed.
        _log.warning(f"{why}; trying once more")
        ray.shutdown()
        _start(options, last=True)


def _probe(address: str) -> None:
    """Raise at once where no cluster answers: Ray itself tries for a quarter of an hour.

    Raises:
        RecordError: none does, or the address is none.
    """
    found = address
    if address == "auto":
        from ray._private.services import canonicalize_bootstrap_address_or_die

        try:
            found = canonicalize_bootstrap_address_or_die(address)
        except (ConnectionError, ValueError) as error:
            raise RecordError(f"--address: no Ray cluster is known here: {error}") from None
    try:
        parts = urlsplit(found if "://" in found else f"//{found}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port or parts.scheme not in ("", "ray"):
        raise RecordError(
            f"--address: {shown(found)} is not allowed: must be auto or HOST:PORT, as `ray start --head` says"
        )
    try:
        # Behind TLS nothing can be heard before the keys are exchanged.
        if os.environ.get("RAY_USE_TLS", "0") == "0":
            reach.probe_grpc(host, port)
        else:
            reach.probe(f"//{found.rpartition('/')[2]}")
    except OSError as error:
        raise RecordError(f"no Ray cluster answers at {shown(found)}: {error.strerror or error}") from None


@contextlib.contextmanager
def _packed_code() -> Iterator[str]:
    """The folder that every worker gets as its own: the driver's code and nothing else.

    With one, Ray puts neither the current folder nor the script's on the workers' path.
    """
    from sweeps.machines.package import pack

    with tempfile.TemporaryDirectory(prefix="sweeps-code-") as folder:
        pack(Path(folder))
        yield folder


def _nodes() -> list[Node]:
    """The nodes of the cluster that this process is connected to."""
    import ray
    from ray._private.state import available_resources_per_node

    free = available_resources_per_node()  # type: ignore[no-untyped-call]
    nodes = []
    for node in ray.nodes():  # type: ignore[no-untyped-call]
        if node["Alive"]:
            total, left = node["Resources"], free.get(node["NodeID"], {})
            nodes.append(
                Node(total.get("CPU", 0), total.get("GPU", 0), left.get("CPU", 0), left.get("GPU", 0))
            )
    return nodes


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """What Ray prints, from whichever thread, goes to standard error: standard output holds results."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
