"""The nodes of a search space: fixed values, options, ranges, and parts that hold them.

Every node can be enumerated (for a grid), drawn from (for a sampler) and located (which choices give a
value). The choices of a node have names: its path, and below an option the option's number, as in
``annealing[1].warmup_epochs``.
"""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from sweeps.space.choosers import Chooser


@dataclass(frozen=True)
class Corner:
    """An extreme value of a node, and where in the spec its pieces were written.

    Attributes:
        value: plain JSON data.
        written: the place in the spec of each piece, by the piece's path below the value.
    """

    value: Any
    written: Mapping[str, str]


class Node(ABC):
    """An entry of a search space, or a value inside one.

    Attributes:
        where: its place in the spec, for errors.
    """

    where: str

    @abstractmethod
    def values(self) -> Iterator[Any]:
        """Every value, in the order of a grid; only for nodes without a range of reals."""

    @abstractmethod
    def size(self) -> int | None:
        """How many values there are; None when they are not countable."""

    @abstractmethod
    def corners(self) -> Iterator[Corner]:
        """Values that reach every bound and every option at least once."""

    @abstractmethod
    def choices(self, name: str) -> "dict[str, Node]":
        """What has to be chosen to draw a value, by the choice's name; ``name`` is this node's own."""

    @abstractmethod
    def draw(self, chooser: Chooser, name: str) -> Any:
        """A value, each choice made by ``chooser``."""

    @abstractmethod
    def locate(self, value: Any, name: str) -> dict[str, Any] | None:
        """The choices that give ``value``, by name; None when no choice gives it."""


@dataclass(frozen=True)
class Fixed(Node):
    """A value that does not vary."""

    value: Any
    where: str

    @override
    def values(self) -> Iterator[Any]:
        yield self.value

    @override
    def size(self) -> int | None:
        return 1

    @override
    def corners(self) -> Iterator[Corner]:
        yield Corner(self.value, {"": self.where})

    @override
    def choices(self, name: str) -> dict[str, Node]:
        return {}

    @override
    def draw(self, chooser: Chooser, name: str) -> Any:
        return self.value

    @override
    def locate(self, value: Any, name: str) -> dict[str, Any] | None:
        return {} if value == self.value else None


@dataclass(frozen=True)
class Structure(Node):
    """A part of a configuration whose own parameters may vary."""

    children: Mapping[str, Node]
    where: str

    @override
    def values(self) -> Iterator[Any]:
        # The first child varies slowest.
        for combination in itertools.product(*(list(child.values()) for child in self.children.values())):
            yield dict(zip(self.children, combination, strict=True))

    @override
    def size(self) -> int | None:
        return product(child.size() for child in self.children.values())

    @override
    def corners(self) -> Iterator[Corner]:
        corners = {name: list(child.corners()) for name, child in self.children.items()}
        first = {name: found[0] for name, found in corners.items()}
        if not corners:
            yield Corner({}, {"": self.where})
        for name, found in corners.items():
            for corner in found:
                yield self._assembled({**first, name: corner})

    def _assembled(self, corners: Mapping[str, Corner]) -> Corner:
        written = {"": self.where}
        for name, corner in corners.items():
            written.update({f".{name}{path}": place for path, place in corner.written.items()})
        return Corner({name: corner.value for name, corner in corners.items()}, written)

    @override
    def choices(self, name: str) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for child_name, child in self.children.items():
            found.update(child.choices(f"{name}.{child_name}"))
        return found

    @override
    def draw(self, chooser: Chooser, name: str) -> Any:
        return {child: node.draw(chooser, f"{name}.{child}") for child, node in self.children.items()}

    @override
    def locate(self, value: Any, name: str) -> dict[str, Any] | None:
        if not isinstance(value, Mapping) or set(value) != set(self.children):
            return None
        found: dict[str, Any] = {}
        for child_name, child in self.children.items():
            below = child.locate(value[child_name], f"{name}.{child_name}")
            if below is None:
                return None
            found.update(below)
        return found


@dataclass(frozen=True)
class Options(Node):
    """``grid`` or ``choice``: one of several values, each of which may hold choices of its own."""

    options: tuple[Node, ...]
    where: str

    @override
    def values(self) -> Iterator[Any]:
        return itertools.chain.from_iterable(option.values() for option in self.options)

    @override
    def size(self) -> int | None:
        sizes = [option.size() for option in self.options]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    @override
    def corners(self) -> Iterator[Corner]:
        return itertools.chain.from_iterable(option.corners() for option in self.options)

    @override
    def choices(self, name: str) -> dict[str, Node]:
        found: dict[str, Node] = {name: self}
        for index, option in enumerate(self.options):
            found.update(option.choices(f"{name}[{index}]"))
        return found

    @override
    def draw(self, chooser: Chooser, name: str) -> Any:
        index = chooser.option(name, len(self.options))
        return self.options[index].draw(chooser, f"{name}[{index}]")

    @override
    def locate(self, value: Any, name: str) -> dict[str, Any] | None:
        for index, option in enumerate(self.options):
            below = option.locate(value, f"{name}[{index}]")
            if below is not None:
                return {name: index, **below}
        return None


@dataclass(frozen=True)
class Real(Node):
    """``uniform`` or ``loguniform``: a number in [low, high]."""

    low: float
    high: float
    log: bool
    where: str

    @override
    def values(self) -> Iterator[Any]:
        raise AssertionError(f"{self.where} cannot be enumerated")

    @override
    def size(self) -> int | None:
        return None

    @override
    def corners(self) -> Iterator[Corner]:
        yield Corner(self.low, {"": f"{self.where}[0]"})
        yield Corner(self.high, {"": f"{self.where}[1]"})

    @override
    def choices(self, name: str) -> dict[str, Node]:
        return {name: self}

    @override
    def draw(self, chooser: Chooser, name: str) -> Any:
        return chooser.real(name, self.low, self.high, self.log)

    @override
    def locate(self, value: Any, name: str) -> dict[str, Any] | None:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return {name: float(value)} if number and self.low <= value <= self.high else None


@dataclass(frozen=True)
class Whole(Node):
    """``int``: a whole number among low, low + step, … ≤ high."""

    low: int
    high: int
    step: int
    log: bool
    where: str

    @property
    def last(self) -> int:
        """The largest value: ``high``, or below it where the step does not reach it."""
        return self.low + (self.high - self.low) // self.step * self.step

    @override
    def values(self) -> Iterator[Any]:
        yield from range(self.low, self.high + 1, self.step)

    @override
    def size(self) -> int | None:
        return (self.high - self.low) // self.step + 1

    @override
    def corners(self) -> Iterator[Corner]:
        yield Corner(self.low, {"": f"{self.where}[0]"})
        yield Corner(self.last, {"": f"{self.where}[1]"})

    @override
    def choices(self, name: str) -> dict[str, Node]:
        return {name: self}

    @override
    def draw(self, chooser: Chooser, name: str) -> Any:
        return chooser.whole(name, self.low, self.last, self.step, self.log)

    @override
    def locate(self, value: Any, name: str) -> dict[str, Any] | None:
        if isinstance(value, bool) or not isinstance(value, int):
            return None
        return {name: value} if value in range(self.low, self.high + 1, self.step) else None


def product(sizes: "Iterator[int | None]") -> int | None:
    """The product; None when one of them is."""
    total: int | None = 1
    for size in sizes:
        total = None if total is None or size is None else total * size
    return total
