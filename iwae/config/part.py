"""How values become frozen parts of a configuration, and how a wrong one is told in one line."""

import difflib
import json
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)
from pydantic_core import ErrorDetails

from iwae.errors import ConfigError, ConfigErrors

# Context of a dump that leaves nothing out.
WHOLE: dict[str, bool] = {"whole": True}


class Part(BaseModel):
    """A frozen piece of a configuration: unknown keys refused, no coercion, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    # Fields that older records lack: written only where they are not at their default, so that what was
    # recorded before there were others stays as it is.
    later: ClassVar[frozenset[str]] = frozenset()
    # The order in which older records have their fields, where inheritance gives another one. What is not
    # named comes behind.
    recorded_order: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        values = {name: values[name] for name in self.recorded_order if name in values} | values
        if info.context is WHOLE:
            return values
        defaults = {name: type(self).model_fields[name].default for name in self.later}
        return {
            name: value
            for name, value in values.items()
            if name not in defaults or getattr(self, name) != defaults[name]
        }


class PartError(ValueError):
    """A limit that spans fields, raised inside validation; ``parse`` makes a ConfigError of it."""

    def __init__(self, path: str, value: object, must_be: str) -> None:
        super().__init__(f"{value} is not allowed: must be {must_be}")
        self.path = path


def default_name(name: str) -> BeforeValidator:
    """Annotates a union of parts that are told apart by ``name``: where it is left out, it is ``name``."""

    def named(value: Any) -> Any:
        return {"name": name, **value} if isinstance(value, Mapping) else value

    return BeforeValidator(named)


PartT = TypeVar("PartT", bound=Part)


def parse(model: type[PartT], values: Any, path: str = "") -> PartT:
    """``values`` as a ``model``; the first thing wrong becomes the one line of a ConfigError."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        # The longest location first: in a union the deepest complaint is the one the user means.
        raise _config_error(error.errors()[0], model, path) from None


def all_mistakes(error: ValidationError, model: type[Part], prefix: str = "") -> list[ConfigError]:
    """Everything wrong, in the model's order; of a union that nothing fits, the first complaint."""
    found: dict[str, ConfigError] = {}
    for details in error.errors():
        cause = details.get("ctx", {}).get("error")
        one = _config_error(details, model, prefix)
        several = cause.errors if isinstance(cause, ConfigErrors) else ()
        names, _ = _walk(details["loc"], model)
        for each in [ConfigError(_join(prefix, [*names, e.path]), e.message) for e in several] or [one]:
            if several or not any(_within(each.path, path) or _within(path, each.path) for path in found):
                found.setdefault(each.path, each)
    return list(found.values())


def _within(path: str, owner: str) -> bool:
    return path == owner or path.startswith((f"{owner}.", f"{owner}["))


def _config_error(details: ErrorDetails, model: type[Part], prefix: str) -> ConfigError:
    names, owner = _walk(details["loc"], model)
    value = details["input"]
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, PartError):
        return ConfigError(_join(prefix, [*names, cause.path]), str(cause))
    if isinstance(cause, ConfigError):
        return ConfigError(_join(prefix, [*names, cause.path]), cause.message)
    where = _join(prefix, names)
    if details["type"] == "extra_forbidden":
        return ConfigError(where, f"unknown key{nearest(str(names[-1]), owner)}")
    if details["type"] == "missing":
        return ConfigError(where, "missing: a value is required")
    if details["type"] in ("union_tag_invalid", "union_tag_not_found"):
        context = details.get("ctx", {})
        tag = context.get("tag")
        allowed = str(context.get("expected_tags", "")).replace("'", "")
        where = _join(prefix, [*names, "name"])
        if tag is None:
            return ConfigError(where, f"missing: must be one of {allowed}" if allowed else "missing")
        return ConfigError(where, f"{tag} is not allowed: must be one of {allowed}")
    return ConfigError(where, f"{_show(value)} is not allowed: must be {_must_be(details)}")


def _must_be(details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    bounds = {
        "greater_than_equal": ">= {ge}",
        "greater_than": "> {gt}",
        "less_than_equal": "<= {le}",
        "less_than": "< {lt}",
        "finite_number": "a finite number",
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "float_type": "a number",
        "string_type": "text",
        "bool_type": "true or false",
        "tuple_type": "a list",
        "list_type": "a list",
        "too_short": "a list of at least {min_length}",
        "dict_type": "a mapping",
        "string_too_long": "at most {max_length} characters",
        "string_too_short": "at least {min_length} characters",
        "model_type": "a mapping",
        "model_attributes_type": "a mapping",
        "mapping_type": "a mapping",
    }
    if details["type"] == "literal_error":
        return "one of " + str(context.get("expected", "")).replace("'", "").replace(" or ", ", ")
    template = bounds.get(details["type"])
    if template is not None:
        return template.format(**context)
    message = details["msg"]
    return message.removeprefix("Value error, ")[:1].lower() + message.removeprefix("Value error, ")[1:]


def _walk(loc: tuple[int | str, ...], model: type[Part]) -> tuple[list[int | str], type[Part] | None]:
    """The location without pydantic's union tags, and the model that owns its last name."""
    names: list[int | str] = []
    owner: type[Part] | None = model
    annotation: Any = model
    for item in loc:
        models = _models(annotation)
        tagged = [model for model in models if item in names_of(model) and item not in model.model_fields]
        if tagged:
            annotation = owner = tagged[0]
            continue
        if len(models) == 1:
            owner = models[0]
        if isinstance(item, str) and owner is not None and item not in owner.model_fields and models == []:
            continue  # a branch of a union of plain types, such as "literal['learned']"
        names.append(item)
        field = owner.model_fields.get(str(item)) if owner is not None and models else None
        annotation = field.annotation if field is not None else None
    return names, owner


def names_of(model: type[Part]) -> tuple[str, ...]:
    """The names that a part in a union goes by; none for a part that comes in one kind."""
    field = model.model_fields.get("name")
    return get_args(field.annotation) if field is not None else ()


def _models(annotation: Any) -> list[type[Part]]:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]


def _join(prefix: str, names: list[int | str]) -> str:
    path = prefix
    for name in names:
        # A mistake of the whole value has no path of its own.
        if name != "":
            path += f"[{name}]" if isinstance(name, int) else f".{name}" if path else str(name)
    return path


def _show(value: object) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    text = repr(value) if isinstance(value, (str, list, dict, tuple)) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def nearest(name: str, model: type[Part] | None) -> str:
    """`` (did you mean "x"?)``, or the list of what is known when nothing is near."""
    if model is None:
        return ""
    known = list(model.model_fields)
    close = difflib.get_close_matches(name, known, n=1)
    return f": did you mean {close[0]}?" if close else f": must be one of {', '.join(known)}"
