"""The hash of what a spec searches: equal exactly where the same trials are planned."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from iwae.config.train import TrainConfig
from iwae.errors import ConfigError

_DECIDING = ("base", "search", "scheduler")


def spec_sha256(spec: Mapping[str, Any]) -> str:
    """SHA-256 of a complete spec's base, search and scheduler, in hexadecimal.

    Where trials run (device, threads) is no part of it. The order in which the space names its paths is one:
    it decides which draw goes to which, and in what order a grid is run.
    """
    search = spec.get("search")
    if isinstance(search, Mapping) and isinstance(search.get("space"), Mapping):
        search = {**search, "space": list(search["space"].items())}
    parts = {"base": _canonical(spec.get("base")), "search": search, "scheduler": spec.get("scheduler")}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def former_spec_sha256(spec: Mapping[str, Any]) -> str:
    """The hash that MLflow holds of sweeps from before the order of paths counted."""
    part = {name: spec.get(name) for name in _DECIDING}
    return hashlib.sha256(json.dumps(part, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _canonical(base: Any) -> Any:
    """The base without defaults and without where it runs; as it stands where it is no configuration."""
    try:
        return json.loads(TrainConfig.parse(base).canonical_json())
    except ConfigError:
        return base
