"""YAML as people mean it: `1e-3` is a number, `1:30` and `2026-02-30` are text, nothing runs code.

PyYAML follows YAML 1.1, where a float needs a dot, `010` is 8 and `1:30` is 90.
"""

import re
from typing import Any, ClassVar

import yaml

from iwae.errors import ConfigError

MAX_DEPTH = 50
# Values after every alias is replaced by what it stands for.
MAX_VALUES = 1_000_000
_PREFIX = "tag:yaml.org,2002:"
_PLAIN = ("null", "bool", "int", "float", "str", "seq", "map", "merge", "value")
_KINDS = {"int": "a whole number of at most 4300 digits", "float": "a number", "bool": "true or false"}
_NUMBERS = list("-+.0123456789")
_INT = re.compile(r"^[-+]?(?:\d[\d_]*|0b[01_]+|0o[0-7_]+|0x[\da-fA-F_]+)$")
_LEADING_ZERO = re.compile(r"^[-+]?0[\d_]+$")
_FLOAT = re.compile(
    r"^(?:[-+]?(?:\d[\d_]*)(?:\.[\d_]*)?[eE][-+]?\d+|[-+]?\d[\d_]*\.[\d_]*|[-+]?\.\d[\d_]*(?:[eE][-+]?\d+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_RESOLVED = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in (f"{_PREFIX}int", f"{_PREFIX}float")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Loader(yaml.SafeLoader):
    """Builds plain data alone, and says where it could not."""

    yaml_constructors: ClassVar[dict[Any, Any]] = {
        tag: construct
        for tag, construct in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.removeprefix(_PREFIX) in _PLAIN
    }
    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ConfigError("", f"nested {self._depth} deep is not allowed: must be <= {MAX_DEPTH}")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def get_single_data(self) -> Any:
        node = self.get_single_node()
        if node is None:
            return None
        _check_size(node)
        return self.construct_document(node)

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ConfigError, yaml.YAMLError):
            raise
        except (ValueError, LookupError, AttributeError, TypeError, ArithmeticError):
            kind = _KINDS.get(str(node.tag).removeprefix(_PREFIX), "plain data")
            shown = f"{_line(node)}{_short(node.value)} is not allowed"
            raise ConfigError("", f"{shown}: must be {kind}") from None


class _Dumper(yaml.SafeDumper):
    """Puts in quotes what ``_Loader`` would not take for text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.removeprefix(_PREFIX) in _PLAIN]
    for first, resolvers in _RESOLVED.items()
}
for _class in (_Loader, _Dumper):
    _class.add_implicit_resolver(f"{_PREFIX}int", _INT, _NUMBERS)
    _class.add_implicit_resolver(f"{_PREFIX}float", _FLOAT, _NUMBERS)


def _whole(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(node.value).replace("_", "")
    if _LEADING_ZERO.match(text):
        meant = ("-" if text.startswith("-") else "") + (text.lstrip("+-0") or "0")
        shown = f"{_line(node)}{_short(node.value)} is not allowed"
        raise ConfigError("", f"{shown}: must be {_short(meant)}, or '{_short(node.value)}' where it is text")
    return int(text, 0)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == f"{_PREFIX}merge":
            key: Any = "<<"
        else:
            key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise ConfigError("", f"{_line(key_node)}the key {key!r} must be text")
        if key in seen:
            raise ConfigError("", f"{_line(key_node)}the key {key!r} stands twice")
        seen.add(key)
    loader.flatten_mapping(node)  # a mapping's own keys win over those that it takes over with `<<`
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(f"{_PREFIX}int", _whole)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load(text: str) -> Any:
    """The document in ``text``.

    Raises:
        ConfigError: it is not YAML, a key stands twice, a number has a leading zero, it is too deep or too
            large, or a tag asks to build anything but plain data.
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
        problem = " ".join(str(getattr(error, "problem", error)).split())
        raise ConfigError("", f"{where}not valid YAML: {problem}") from None


def dump(document: Any) -> str:
    """``document`` as YAML, keys in their own order, short lists on one line."""
    return yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100
    )


def _check_size(root: yaml.Node) -> None:
    """Refuse a document that is small only because aliases stand for the same values again and again."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = MAX_VALUES + 1  # while it is looked at: a node within itself has no end
            children = node.value if isinstance(node, yaml.CollectionNode) else []
            if isinstance(node, yaml.MappingNode):
                children = [part for pair in children for part in pair]
            sizes[id(node)] = 1 + sum(map(size, children))
        return sizes[id(node)]

    if size(root) > MAX_VALUES:
        raise ConfigError("", f"more than {MAX_VALUES:,} values are not allowed: aliases multiply them")


def _line(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}: " if node.start_mark else ""


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
