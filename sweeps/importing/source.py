"""What a source holds and what a user says of it: the words that reading, splitting and writing share."""

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

import numpy as np

from iwae.errors import ConfigError, DataError

SPLITS = ("train", "validation", "test")
WHOLE = "items"  # the part of a source that has no splits
SPLIT_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}

ROLES = (
    *(WHOLE, *SPLITS, "labels", "groups", "attributes"),
    *(f"{split}_{what}" for what in ("labels", "groups", "attributes") for split in SPLITS),
)

Kind = Literal["binary", "bytes", "floats"]


@dataclass(frozen=True)
class Part:
    """Items of one split, or of a whole source.

    Attributes:
        items: ``[N, ...]``.
        labels: ``[N]``, the class of each as the source says it: text or whole numbers; None without.
        groups: ``[N]``, what each belongs to (a patient, a site); None without.
        attributes: ``[N, Y]``, numbers that a conditional model is told of each; None without.
    """

    items: np.ndarray
    labels: np.ndarray | None = None
    groups: np.ndarray | None = None
    attributes: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.items)

    def take(self, rows: np.ndarray) -> Self:
        """The items of these rows (numbers, or a mask), in their order."""
        beside = (self.labels, self.groups, self.attributes)
        return type(self)(self.items[rows], *(None if told is None else told[rows] for told in beside))


@dataclass(frozen=True)
class Source:
    """What a source holds.

    Attributes:
        kind: what it is, in words: "a CSV table".
        parts: by split; by ``WHOLE`` where the source has no splits.
        feature_names: of the items' features; None where it names none.
        label_names: of the labels 0, 1, ...; None where it names none.
        notes: what else was understood or left out, a line each.
        channels: which axis of images holds the channels, where the source knows.
    """

    kind: str
    parts: Mapping[str, Part]
    feature_names: tuple[str, ...] | None = None
    label_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    channels: Literal["first", "last"] | None = None


@dataclass(frozen=True)
class Reading:
    """What a user says of a source; None leaves it to what the source says.

    Attributes:
        label: the column or array of the labels.
        group: the column or array of the groups.
        attribute: the columns of the attributes.
        split: the column that says of each row in which split it is.
        arrays: of an .npz file: the array of each role (``train``, ``test_labels``, ...).
        drop: columns or arrays that are left out.
        header: whether the first line of a table holds names.
        channels: which axis of images holds the channels.
        shape: (height, width) or (height, width, channels) of images whose pixels are given flat.
        resize: (height, width) that images of a folder are brought to.
        kept_as: what the numbers are.
        drop_missing: leave out items with NaN, infinity or without a label.
        drop_constant: leave out features of floats that are the same in every training item.
    """

    label: str | None = None
    group: str | None = None
    attribute: tuple[str, ...] = ()
    split: str | None = None
    arrays: Mapping[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    header: bool | None = None
    channels: Literal["first", "last"] | None = None
    shape: tuple[int, ...] | None = None
    resize: tuple[int, int] | None = None
    kept_as: Kind | None = None
    drop_missing: bool = False
    drop_constant: bool = False


def roles(assignments: Sequence[str]) -> dict[str, str]:
    """``["train=xs", ...]`` as a mapping from role to array.

    Raises:
        ConfigError: one is no such assignment.
    """
    found = {}
    for assignment in assignments:
        role, _, name = assignment.partition("=")
        if not name:
            raise ConfigError("--array", f"{assignment} is not allowed: must be ROLE=NAME")
        found[known("--array", role, ROLES, "role")] = name
    return found


def height_and_width(text: str, option: str = "--resize") -> tuple[int, int]:
    """``28x28`` as two numbers.

    Raises:
        ConfigError: it is no size.
    """
    match = re.fullmatch(r"([1-9]\d{0,4})[x×]([1-9]\d{0,4})", text)
    if match is None:
        raise ConfigError(option, f"{text} is not allowed: must be HEIGHTxWIDTH, as 28x28")
    return int(match[1]), int(match[2])


def image_shape(text: str) -> tuple[int, ...]:
    """``28x28`` or ``32x32x3`` as numbers.

    Raises:
        ConfigError: it is no shape of an image.
    """
    size, channels = (text[:-2], text[-1]) if re.search(r"[x×]\d+[x×][1-4]$", text) else (text, "")
    return (*height_and_width(size, "--shape"), *([int(channels)] if channels else []))


def refuse_unused(reading: Reading, kind: str, usable: Collection[str]) -> None:
    """Refuse what was said of a source and means nothing for this kind.

    Raises:
        ConfigError: naming the option.
    """
    for name in (
        "label",
        "group",
        "attribute",
        "split",
        "arrays",
        "drop",
        "header",
        "channels",
        "shape",
        "resize",
    ):
        if getattr(reading, name) not in (None, (), {}) and name not in usable:
            option = {"arrays": "--array"}.get(name, f"--{name}")
            raise ConfigError(option, f"is not allowed: {kind} has no use for it")


def known(option: str, name: str, names: Collection[str], what: str) -> str:
    """A name that a user gave, if the source has it.

    Raises:
        ConfigError: it has none of this name; the message has the nearest, or all.
    """
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, n=1)
    shown = f"did you mean {near[0]}?" if near else f"must be one of {listed(names)}"
    raise ConfigError(option, f"there is no {what} {name}: {shown}")


def listed(names: Collection[str], most: int = 8) -> str:
    """Names in a line, the first few and how many more."""
    shown = ", ".join(list(names)[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def one_line(error: BaseException) -> str:
    """The first line of what a library says."""
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(". ")


def unreadable(where: object, error: BaseException, must: str) -> DataError:
    """The mistake of a file that its library cannot read."""
    return DataError(f"{where} cannot be read: {one_line(error)}: must be {must}")
