"""Entries of a search space as they are written: ``{grid: [...]}``, ``{int: [5, 20], log: true}``, ..."""

import difflib
import json
import sys
from collections.abc import Mapping
from typing import Any

from iwae.errors import ConfigError
from sweeps.space.choices import Fixed, Node, Options, Real, Structure, Whole

KINDS = ("grid", "choice", "uniform", "loguniform", "int")
# Beside any of them in an entry of the space itself.
WHEN = "when"
_EXTRAS = {"int": ("log", "step")}
_EXPECTED = (
    "one of {grid: [...]}, {choice: [...]}, {uniform: [low, high]},"
    " {loguniform: [low, high]}, {int: [low, high]}"
)


def parse_entry(raw: Any, where: str) -> Node:
    """The node that ``raw`` describes.

    Args:
        raw: plain data, as from YAML.
        where: its place in the spec, for errors.

    Raises:
        ConfigError: it is not an entry, or its limits are not allowed.
    """
    if not isinstance(raw, Mapping) or not raw:
        raise _refused(where, raw, _EXPECTED)
    kinds = [kind for kind in KINDS if kind in raw]
    if len(kinds) != 1:
        unknown = next((key for key in raw if key not in KINDS), None)
        if kinds or unknown is None:
            raise ConfigError(where, f"{' and '.join(kinds)} are not allowed together: must be {_EXPECTED}")
        raise ConfigError(f"{where}.{unknown}", f"unknown key{_did_you_mean(unknown)}")
    kind = kinds[0]
    for key in raw:
        if key != kind and key not in _EXTRAS.get(kind, ()):
            raise ConfigError(f"{where}.{key}", f"unknown key beside {kind}")
    if kind in ("grid", "choice"):
        return _options(raw[kind], f"{where}.{kind}")
    if kind == "int":
        return _whole(raw, where)
    low, high = _limits(raw[kind], f"{where}.{kind}")
    if kind == "loguniform" and low <= 0:
        raise _refused(f"{where}.{kind}[0]", raw[kind][0], "> 0")
    return Real(float(low), float(high), kind == "loguniform", f"{where}.{kind}")


def _options(raw: Any, where: str) -> Options:
    if not isinstance(raw, list | tuple):
        raise _refused(where, raw, "a list")
    if not raw:
        raise _refused(where, "[]", "a list with at least one value")
    return Options(tuple(_value(value, f"{where}[{i}]") for i, value in enumerate(raw)), where)


def _value(raw: Any, where: str) -> Node:
    """A value of an option: plain, or a part whose parameters may be entries."""
    if not isinstance(raw, Mapping):
        return Fixed(list(raw) if isinstance(raw, tuple) else raw, where)
    return Structure({name: _child(value, f"{where}.{name}") for name, value in raw.items()}, where)


def _child(raw: Any, where: str) -> Node:
    is_entry = isinstance(raw, Mapping) and any(kind in raw for kind in KINDS)
    return parse_entry(raw, where) if is_entry else _value(raw, where)


def _whole(raw: Mapping[str, Any], where: str) -> Whole:
    low, high = _limits(raw["int"], f"{where}.int")
    for index, bound in enumerate((low, high)):
        if not isinstance(bound, int):
            raise _refused(f"{where}.int[{index}]", bound, "a whole number")
    log, step = raw.get("log", False), raw.get("step", 1)
    if not isinstance(log, bool):
        raise _refused(f"{where}.log", log, "true or false")
    if isinstance(step, bool) or not isinstance(step, int) or step < 1:
        raise _refused(f"{where}.step", step, "a whole number >= 1")
    if log and step != 1:
        raise _refused(f"{where}.step", step, "left out when log is true")
    if log and low < 1:
        raise _refused(f"{where}.int[0]", low, ">= 1 when log is true")
    return Whole(int(low), int(high), step, log, f"{where}.int")


def _limits(raw: Any, where: str) -> tuple[float, float]:
    if not isinstance(raw, list | tuple) or len(raw) != 2:
        raise _refused(where, raw, "[low, high]")
    for index, bound in enumerate(raw):
        if isinstance(bound, bool) or not isinstance(bound, int | float):
            raise _refused(f"{where}[{index}]", bound, "a number")
        if not -sys.float_info.max <= bound <= sys.float_info.max:
            raise _refused(f"{where}[{index}]", bound, "a finite number")
    if not raw[0] < raw[1]:
        raise _refused(where, raw, "[low, high] with low < high")
    return raw[0], raw[1]


def _refused(where: str, value: Any, must_be: str) -> ConfigError:
    shown = json.dumps(value) if value is None or isinstance(value, bool) else str(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return ConfigError(where, f"{shown} is not allowed: must be {must_be}")


def _did_you_mean(key: str) -> str:
    close = difflib.get_close_matches(key, KINDS, n=1)
    return f": did you mean {close[0]}?" if close else f": must be {_EXPECTED}"
