"""What of the surroundings of two trainings differs that can change a bit of their numbers, and nothing else.

Not among it: host, user, paths, kernel, the number of cores (threads are set as they were), and the versions
of Ray, MLflow and the other packages that a worker which trains does not compute with.
"""

from collections.abc import Mapping
from typing import Any

from tracking.provenance import sources
from tracking.provenance.provenance import code_files, code_identity, differences

_HARMLESS = ("platform", "cores", "code_sha256")
# That the numbers of a trial are computed under; the others say how many threads, or which of equal GPUs.
_VARIABLES = ("MKL_CBWR", "ATEN_CPU_CAPABILITY", "CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE")
_TRAINER = "iwae/"


def changed(
    then: Mapping[str, Any], now: Mapping[str, Any], ran: Mapping[str, Any], runs: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """What changed that can change bits: ``{path: [then, now]}``.

    Args:
        then: the environment of the first training (``tracking.provenance.machine.environment``).
        now: of the second.
        ran: the code of the first (``tracking.provenance.provenance.code``); empty where it is lost.
        runs: of the second.
    """
    found = differences(_kept(then), _kept(now))
    old, new = _trainer(ran), _trainer(runs)
    if old:
        digests = {"iwae": sources.digest(old)}, {"iwae": sources.digest(new)}
    elif "code_sha256" in then:
        digests = {"sha256": then["code_sha256"]}, {"sha256": now["code_sha256"]}
    else:  # of a version that noted no sources
        digests = _commit(ran), _commit(runs)
    return found | {f"code.{name}": pair for name, pair in differences(*digests).items()}


def changed_files(ran: Mapping[str, Any], runs: Mapping[str, Any]) -> list[str]:
    """The files of the trainer that are not the same; empty where the record names none."""
    old = _trainer(ran)
    return sources.changed(old, _trainer(runs)) if old else []


def _kept(environment: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in environment.items() if name not in _HARMLESS}
    variables = environment.get("variables") or {}
    return {**kept, "variables": {name: variables[name] for name in _VARIABLES if name in variables}}


def _trainer(code: Mapping[str, Any]) -> dict[str, str]:
    return {path: digest for path, digest in code_files(code).items() if path.startswith(_TRAINER)}


def _commit(code: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in code_identity(code).items() if name in ("commit", "diff")}
