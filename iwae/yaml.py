"""YAML as people mean it: `1e-3` is a number, a key stands once, nothing runs code."""

import re
from typing import Any

import yaml

from iwae.errors import ConfigError


class _Loader(yaml.SafeLoader):
    pass


# PyYAML follows YAML 1.1, where a float needs a dot: `1e-3` would be text.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d[\d_]*)(\.[\d_]*)?[eE][-+]?\d+$"),
    list("-+0123456789"),
)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise ConfigError("", f"line {key_node.start_mark.line + 1}: the key {key!r} must be text")
        if key in seen:
            raise ConfigError("", f"line {key_node.start_mark.line + 1}: the key {key!r} stands twice")
        seen.add(key)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load(text: str) -> Any:
    """The document in ``text``.

    Raises:
        ConfigError: it is not YAML, a key stands twice, or a tag asks to build anything but plain data.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.constructor.ConstructorError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        tag = re.search(r"'(tag:[^']+|!\S*)'", error.problem or "")
        what = f"the tag {tag[1]} is not allowed" if tag else str(error.problem)
        raise ConfigError("", f"{where}{what}: must be plain data") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise ConfigError("", f"{where}not valid YAML: {getattr(error, 'problem', error)}") from None


def dump(document: Any) -> str:
    """``document`` as YAML, keys in their own order, short lists on one line."""
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)
