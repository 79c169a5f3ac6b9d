"""The JSON schema of a spec as editors want it: draft 7, all fields described, every path of the space."""

import inspect
import re
from typing import Any, get_args

from pydantic.fields import FieldInfo

from iwae.config.part import Part
from iwae.config.train import TrainConfig
from sweeps.space.entries import KINDS, WHEN
from sweeps.space.paths import parts_of, paths

_PAIR = {"type": "array", "minItems": 2, "maxItems": 2}
_ENTRIES: dict[str, dict[str, Any]] = {
    "grid": {"description": "One of these values; sampler grid tries every combination."},
    "choice": {"description": "One of these values."},
    "uniform": {**_PAIR, "items": {"type": "number"}, "description": "A number in [low, high]."},
    "loguniform": {
        **_PAIR,
        "items": {"type": "number", "exclusiveMinimum": 0},
        "description": "A number in [low, high], uniform in its logarithm.",
    },
    "int": {**_PAIR, "items": {"type": "integer"}, "description": "A whole number in [low, high]."},
    "log": {"type": "boolean", "description": "Whether int is uniform in the logarithm."},
    "step": {"type": "integer", "minimum": 1, "description": "Distance between the numbers of int."},
    WHEN: {
        "type": "object",
        "minProperties": 1,
        "description": "Applies only where these paths, varied before it, have this value or one of these.",
    },
}
Definitions = dict[str, dict[str, Any]]


def for_editors(spec: type[Part]) -> dict[str, Any]:
    """The schema of ``spec`` in draft 7, which yaml-language-server reads in full."""
    schema = _draft_7(spec.model_json_schema(ref_template="#/definitions/{model}"))
    definitions: Definitions = schema["definitions"]
    for part in _all_parts(spec):
        _describe(schema if part is spec else definitions[part.__name__], part)
    definitions.update({f"entry.{kind}": entry for kind, entry in _ENTRIES.items() if "type" in entry})
    for part in _all_parts(TrainConfig):
        _write_entries(part, definitions)
    definitions["SearchSpec"]["properties"]["space"].update(
        {
            "properties": {path: _space_entry(path, field) for path, field in paths().items()},
            "additionalProperties": False,
        }
    )
    return {"$schema": "http://json-schema.org/draft-07/schema#", **schema}


def _draft_7(node: Any) -> Any:
    """``$defs`` and ``prefixItems`` under the names that draft 7 has for them; no keywords of OpenAPI."""
    if isinstance(node, list):
        return [_draft_7(item) for item in node]
    if not isinstance(node, dict):
        return node
    names = {"$defs": "definitions", "prefixItems": "items"}
    return {names.get(key, key): _draft_7(value) for key, value in node.items() if key != "discriminator"}


def _describe(definition: dict[str, Any], part: type[Part]) -> None:
    """Put the lines of the docstring where an editor shows them: on the part and on each field."""
    text, _, attributes = inspect.cleandoc(part.__doc__ or "").partition("\nAttributes:\n")
    definition["description"] = " ".join(text.split())
    for name, about in re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", attributes, flags=re.MULTILINE):
        definition["properties"][name]["description"] = " ".join(about.split())


def _all_parts(part: type[Part]) -> list[type[Part]]:
    found = [part]
    for field in part.model_fields.values():
        for below in parts_of(field.annotation):
            found += [kind for kind in _all_parts(below) if kind not in found]
    return found


def _space_entry(path: str, field: FieldInfo) -> dict[str, Any]:
    """The entry of a path of the space; the name of a part may be that of any of its kinds."""
    part, _, name = path.rpartition(".")
    if part and name == "name" and len(parts_of(paths()[part].annotation)) > 1:
        return _entry({"enum": list(get_args(field.annotation))}, KINDS[:2])
    return _ref(f"{_owner(path).__name__}.{name}")


def _owner(path: str) -> type[Part]:
    """The part that has the last name of ``path``; of several kinds the first that has it."""
    owners: list[type[Part]] = [TrainConfig]
    for name in path.split("."):
        owner = next(owner for owner in owners if name in owner.model_fields)
        owners = parts_of(owner.model_fields[name].annotation)
    return owner


def _write_entries(part: type[Part], definitions: Definitions) -> None:
    """Define the entry of each field, and the part with entries allowed in the place of its values."""
    varied: dict[str, Any] = {}
    for name, field in part.model_fields.items():
        kinds = parts_of(field.annotation)
        own = definitions[part.__name__]["properties"][name]
        values = [_ref(f"{kind.__name__}.varied") for kind in kinds] or [
            _ref(f"{part.__name__}/properties/{name}")
        ]
        value = values[0] if len(values) == 1 else {"oneOf": values}
        numeric = {"integer", "number"} & {kind.get("type") for kind in [own, *own.get("anyOf", [])]}
        entry = _entry(value, KINDS if numeric else KINDS[:2])
        definitions[f"{part.__name__}.{name}"] = {**entry, "description": own.get("description", name)}
        varied[name] = own if "const" in own else {"anyOf": [value, _ref(f"{part.__name__}.{name}")]}
    definitions[f"{part.__name__}.varied"] = {**definitions[part.__name__], "properties": varied}


def _entry(value: dict[str, Any], kinds: tuple[str, ...]) -> dict[str, Any]:
    """Exactly one kind of entry, over values that fit ``value``."""
    options = {"type": "array", "minItems": 1, "items": value}
    properties = {k: {**_ENTRIES[k], **options} if k in KINDS[:2] else _ref(f"entry.{k}") for k in kinds}
    extras = {name: _ref(f"entry.{name}") for name in ("log", "step") if "int" in kinds}
    return {
        "type": "object",
        "properties": {**properties, **extras, WHEN: _ref(f"entry.{WHEN}")},
        "additionalProperties": False,
        "oneOf": [{"required": [kind]} for kind in kinds],
        "dependencies": {name: ["int"] for name in extras},
    }


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/definitions/{name}"}
