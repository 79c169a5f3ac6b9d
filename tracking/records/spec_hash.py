"""The hash of what a spec searches: equal exactly where the same trials are planned."""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from iwae.config.train import TrainConfig
from iwae.errors import ConfigError

_DECIDING = ("base", "search", "scheduler")


def spec_sha256(spec: Mapping[str, Any]) -> str:
    """SHA-256 of a complete spec's base, search and scheduler, in hexadecimal.

    Where trials run (device, threads) is no part of it. The order in which the space names its paths, and an
    option the parameters that vary in it, is one: it decides which draw goes to which, and in what order a
    grid is run.
    """
    return _sha256(spec, _with_order)


def former_spec_sha256s(spec: Mapping[str, Any]) -> frozenset[str]:
    """The hashes that older versions recorded, which counted fewer orders or none."""
    part = {name: spec.get(name) for name in _DECIDING}
    unordered = json.dumps(part, sort_keys=True, separators=(",", ":"))
    return frozenset({hashlib.sha256(unordered.encode()).hexdigest(), _sha256(spec, lambda entry: entry)})


def _sha256(spec: Mapping[str, Any], ordered: Callable[[Any], Any]) -> str:
    search = spec.get("search")
    if isinstance(search, Mapping) and isinstance(search.get("space"), Mapping):
        space = [[path, ordered(entry)] for path, entry in search["space"].items()]
        search = {**search, "space": space}
    parts = {"base": _canonical(spec.get("base")), "search": search, "scheduler": spec.get("scheduler")}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _with_order(node: Any) -> Any:
    """An entry that also lists, where it is not alphabetical, the order of an option's varied parameters.

    Only mappings vary, so the order of plain values changes nothing.
    """
    if isinstance(node, list | tuple):
        return [_with_order(below) for below in node]
    if not isinstance(node, Mapping):
        return node
    varied = [name for name, below in node.items() if isinstance(below, Mapping)]
    order = {} if varied == sorted(varied) else {"": varied}
    return {**{name: _with_order(below) for name, below in node.items()}, **order}


def _canonical(base: Any) -> Any:
    """The base without defaults and without where it runs; as it stands where it is no configuration."""
    return json.loads(_canonical_text(json.dumps(base)))


@lru_cache(maxsize=8)  # one sweep's base is asked for at every publication
def _canonical_text(base: str) -> str:
    try:
        return TrainConfig.parse(json.loads(base)).canonical_json()
    except ConfigError:
        return base
