"""docker-compose.yml with its variables filled in, by the rules of Compose that it uses."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

PATH = Path(__file__).parents[3] / "docker-compose.yml"
SECRETS = ("POSTGRES_PASSWORD", "MLFLOW_ADMIN_PASSWORD", "MLFLOW_SECRET_KEY", "RAY_AUTH_TOKEN")
_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?:(?P<rule>:[-?])(?P<rest>[^{}]*))?\}|(?P<wrong>.?))"
)


class MissingVariableError(ValueError):
    pass


def load() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(PATH.read_text())
    return document


def interpolate(value: Any, variables: Mapping[str, str]) -> Any:
    """Every text with its variables filled in; an empty one counts as missing, as `:` says."""
    if isinstance(value, dict):
        return {name: interpolate(item, variables) for name, item in value.items()}
    if isinstance(value, list):
        return [interpolate(item, variables) for item in value]
    if not isinstance(value, str):
        return value

    def fill(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        if match["wrong"] is not None:
            raise ValueError(f"{match[0]!r} in {value!r} is no variable that Compose knows")
        found = variables.get(match["name"], "")
        if match["rule"] == ":?" and not found:
            raise MissingVariableError(f"{match['name']}: {match['rest']}")
        return found or (match["rest"] or "" if match["rule"] == ":-" else "")

    return _VARIABLE.sub(fill, value)


def variables_in(value: Any) -> list[tuple[str, str | None, str | None]]:
    """Name, rule and what follows it, of every variable in a document."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [found for item in value for found in variables_in(item)]
    if not isinstance(value, str):
        return []
    return [(m["name"], m["rule"], m["rest"]) for m in _VARIABLE.finditer(value) if m["name"]]


def environment(service: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, str]:
    """A service's environment: an entry without a value is passed on where it is set."""
    entries = service.get("environment", {})
    return {
        name: value if value is not None else variables[name]
        for name, value in entries.items()
        if value is not None or name in variables
    }
