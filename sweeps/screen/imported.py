"""What `sweeps import` understood, for a person to check before a sweep trains on it."""

import math

import yaml
from rich.console import Console
from rich.table import Table

from sweeps.importing.source import listed
from sweeps.importing.summary import Imported, SplitSummary
from sweeps.screen.say import say


def show_imported(found: Imported, source: str, console: Console) -> None:
    """The splits as a table, what is noteworthy in lines, the file, and what a spec says of it."""
    say(console, f"{source}: {found.kind}")
    console.print(_table(found))
    say(console, f"  each item: {_item(found)}")
    for line in _noteworthy(found):
        say(console, f"  {line}")
    say(console, f"written: {found.out} ({_bytes(found.size)}), SHA-256 {found.sha256}")
    say(console, "in a spec:")
    say(console, "base:")
    for part, values in found.base.items():
        flow = yaml.safe_dump(values, default_flow_style=True, sort_keys=False, width=math.inf)
        say(console, f"  {part}: {flow.strip()}")


def _table(found: Imported) -> Table:
    table = Table(box=None, pad_edge=False)
    labelled = any(split.classes for split in found.splits.values())
    for heading in ("split", "items", "range", *(["classes"] if labelled else [])):
        table.add_column(heading, justify="right" if heading == "items" else "left")
    for name, split in found.splits.items():
        classes = [_classes(found, split)] if labelled else []
        table.add_row(name, f"{split.items:,}", f"{split.low:.6g} to {split.high:.6g}", *classes)
    return table


def _classes(found: Imported, split: SplitSummary) -> str:
    names = found.label_names or [str(number) for number in range(len(split.classes))]
    return listed([f"{name}: {count:,}" for name, count in zip(names, split.classes, strict=True)], most=10)


def _item(found: Imported) -> str:
    size = " × ".join(map(str, found.shape))
    if len(found.shape) == 1:
        named = f": {listed(found.feature_names)}" if found.feature_names else ""
        what = f"{size} feature{'s' if found.shape[0] > 1 else ''}{named}"
    else:
        what = f"{size} (height × width{' × channels' if len(found.shape) > 2 else ''})"
    numbers = {
        "binary": "binary (0 or 1)",
        "bytes": "intensities 0 to 255",
        "floats": f"numbers ({found.dtype})",
    }
    return f"{what}; {numbers[found.numbers]}"


def _noteworthy(found: Imported) -> list[str]:
    lines = [*found.notes]
    if found.dropped:
        lines.append(f"left out because something is missing: {found.dropped:,} items")
    if found.constant:
        names = found.feature_names or [str(number) for number in range(math.prod(found.shape))]
        which = listed([names[number] for number in found.constant], most=4)
        lines.append(
            f"{len(found.constant):,} of {math.prod(found.shape):,} features are the same in every training"
            f" item: {which}"
        )
        if found.numbers == "floats":
            lines.append("  a sweep scales no such feature: --drop-constant leaves them out")
    for name, split in found.splits.items():
        if split.repeated:
            earlier = "train" if name == "validation" else "train or validation"
            are = "item is" if split.repeated == 1 else "items are"
            lines.append(f"{split.repeated:,} {name} {are} in {earlier} too")
    return lines


def _bytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
