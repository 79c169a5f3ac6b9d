"""What an entry of a search space is made of: fixed values, options, ranges, and parts that hold them.

Every node can be enumerated (for a grid), drawn from (for a sampler) and located (which choices give a
value). The choices of a node have names: its path, and below an option the option's number, as in
``annealing[1].warmup_epochs``.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True)
class Fixed:
    """A value that does not vary."""

    value: Any
    where: str

    def values(self) -> Iterator[Any]:
        """The value."""
        yield self.value

    def size(self) -> int | None:
        """One."""
        return 1

    def corners(self) -> Iterator[Corner]:
        """The value."""
        yield Corner(self.value, {"": self.where})

    def choices(self, name: str) -> dict[str, "Node"]:
        """None."""
        return {}

    def draw(self, chooser: Chooser, name: str) -> Any:
        """The value."""
        return self.value

    def locate(self, value: Any, name: str) -> dict[str, Any] | None:
        """No choices when the value is this one, else None."""
        return {} if value == self.value else None


@dataclass(frozen=True)
class Structure:
    """A part of a configuration whose own parameters may vary."""

    children: Mapping[str, "Node"]
    where: str

    def values(self) -> Iterator[Any]:
        """Every combination of its children's values; the first child varies slowest."""
        for combination in itertools.product(*(list(child.values()) for child in self.children.values())):
            yield dict(zip(self.children, combination, strict=True))

    def size(self) -> int | None:
        """How many values there are; None when they are not countable."""
        return product(child.size() for child in self.children.values())

    def corners(self) -> Iterator[Corner]:
        """Each child at each of its corners while the others stay at their first."""
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

    def choices(self, name: str) -> dict[str, "Node"]:
        """Those of the children."""
        found: dict[str, Node] = {}
        for child_name, child in self.children.items():
            found.update(child.choices(f"{name}.{child_name}"))
        return found

    def draw(self, chooser: Chooser, name: str) -> Any:
        """A mapping, each child drawn."""
        return {child: node.draw(chooser, f"{name}.{child}") for child, node in self.children.items()}

    def locate(self, value: Any, name: str) -> dict[str, Any] | None:
        """The choices that give ``value``, or None."""
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
class Options:
    """``grid`` or ``choice``: one of several values, each of which may hold choices of its own."""

    options: tuple["Node", ...]
    where: str

    def values(self) -> Iterator[Any]:
        """Every value of every option, in order."""
        return itertools.chain.from_iterable(option.values() for option in self.options)

    def size(self) -> int | None:
        """How many values there are; None when they are not countable."""
        sizes = [option.size() for option in self.options]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def corners(self) -> Iterator[Corner]:
        """Those of every option."""
        return itertools.chain.from_iterable(option.corners() for option in self.options)

    def choices(self, name: str) -> dict[str, "Node"]:
        """Its own, and those below each option."""
        found: dict[str, Node] = {name: self}
        for index, option in enumerate(self.options):
            found.update(option.choices(f"{name}[{index}]"))
        return found

    def draw(self, chooser: Chooser, name: str) -> Any:
        """One option, drawn from in turn."""
        index = chooser.option(name, len(self.options))
        return self.options[index].draw(chooser, f"{name}[{index}]")

    def locate(self, value: Any, name: str) -> dict[str, Any] | None:
        """The choices that give ``value``, or None."""
        for index, option in enumerate(self.options):
            below = option.locate(value, f"{name}[{index}]")
            if below is not None:
                return {name: index, **below}
        return None


@dataclass(frozen=True)
class Real:
    """``uniform`` or ``loguniform``: a number in [low, high]."""

    low: float
    high: float
    log: bool
    where: str

    def values(self) -> Iterator[Any]:
        """Refused: a grid holds no ranges."""
        raise AssertionError(f"{self.where} cannot be enumerated")

    def size(self) -> int | None:
        """None: not countable."""
        return None

    def corners(self) -> Iterator[Corner]:
        """Both bounds."""
        yield Corner(self.low, {"": f"{self.where}[0]"})
        yield Corner(self.high, {"": f"{self.where}[1]"})

    def choices(self, name: str) -> dict[str, "Node"]:
        """Its own."""
        return {name: self}

    def draw(self, chooser: Chooser, name: str) -> Any:
        """A number."""
        return chooser.real(name, self.low, self.high, self.log)

    def locate(self, value: Any, name: str) -> dict[str, Any] | None:
        """The number itself when it lies in the range, or None."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return {name: float(value)} if number and self.low <= value <= self.high else None


@dataclass(frozen=True)
class Whole:
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

    def values(self) -> Iterator[Any]:
        """Every number."""
        yield from range(self.low, self.high + 1, self.step)

    def size(self) -> int | None:
        """How many numbers there are."""
        return (self.high - self.low) // self.step + 1

    def corners(self) -> Iterator[Corner]:
        """The smallest and the largest."""
        yield Corner(self.low, {"": f"{self.where}[0]"})
        yield Corner(self.last, {"": f"{self.where}[1]"})

    def choices(self, name: str) -> dict[str, "Node"]:
        """Its own."""
        return {name: self}

    def draw(self, chooser: Chooser, name: str) -> Any:
        """A whole number."""
        return chooser.whole(name, self.low, self.last, self.step, self.log)

    def locate(self, value: Any, name: str) -> dict[str, Any] | None:
        """The number itself when it is one of the range, or None."""
        if isinstance(value, bool) or not isinstance(value, int):
            return None
        return {name: value} if value in range(self.low, self.high + 1, self.step) else None


Node = Fixed | Structure | Options | Real | Whole


def product(sizes: "Iterator[int | None]") -> int | None:
    """The product; None when one of them is."""
    total: int | None = 1
    for size in sizes:
        total = None if total is None or size is None else total * size
    return total
