"""Which pending trials train together: packs of configurations that differ in scalars only."""

import copy
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from iwae.pack.key import pack_key
from sweeps.pace.sizes import sizes_of
from sweeps.spec.resources import Resources
from tracking.records.records import PlannedTrial, TrialRecord
from tracking.statistics.numbers import plural

# What `auto` packs, by `tests/benchmarks/training/packing.py`: five trials or more, on a CPU, where overheads
# and not matrix products bound a step. On a GPU nothing was measured yet.
LEAST_AUTO, MOST_AUTO, MOST_FLOPS = 5, 8, 2e7


class Together(NamedTuple):
    """Trials that one worker has at a time.

    Attributes:
        trials: in the order of the plan.
        slots: of their pack; None trains the one trial alone.
    """

    trials: list[PlannedTrial]
    slots: int | None


class Packing:
    """Makes packs of what is pending, in order.

    A trial's bits depend on the number of slots: one that began in a pack goes on in one of that size, and
    one that began alone goes on alone.

    Args:
        resources: of the spec; ``packing`` says whether and how many.
        at_once: how many trials, or packs, fit on the machines at once.
        begun: the trials of the record, of which some may have begun.
    """

    def __init__(self, resources: Resources, at_once: int, begun: Iterable[TrialRecord] = ()) -> None:
        self._packing = resources.packing
        self._on_gpu = resources.gpus > 0
        self._at_once = at_once
        self._keys: dict[str, str | None] = {}
        self._sizes: dict[str, int] = {}
        self._slots = {trial.key: trial.slots for trial in begun if trial.slots is not None}

    def announce(self, pending: Sequence[PlannedTrial]) -> list[Together]:
        """What `take` will give of these trials, if all of them end in order."""
        ahead, left, found = copy.deepcopy(self), list(pending), []
        while left:
            found.append(ahead.take(left))
        return found

    def take(self, pending: list[PlannedTrial]) -> Together:
        """Take the first of the pending trials, in a list that is not empty, and those that join it."""
        first = pending[0]
        slots = self._slots.get(first.key)
        size = slots or self._size(first, pending)
        trials = self._like(first, pending)[:size] if size > 1 else [first]
        for trial in trials:
            pending.remove(trial)
        slots = slots or len(trials)
        self._slots |= {trial.key: slots for trial in trials}
        return Together(trials, None if slots == 1 else slots)

    def slots_of(self, key: str) -> int:
        """Of the pack in which the trial with this key is run; 1 is alone."""
        return self._slots.get(key, 1)

    def let_alone(self, trial: PlannedTrial) -> bool:
        """Run a trial alone from now on; False where it already was."""
        packed = self.slots_of(trial.key) > 1
        self._slots[trial.key] = 1
        return packed

    def _size(self, first: PlannedTrial, pending: Sequence[PlannedTrial]) -> int:
        """How many trials of a kind train together; decided once, when the first of them is taken."""
        if self._packing == "off" or (key := self._key(first)) is None:
            return 1
        if self._packing != "auto":
            return self._packing
        if key not in self._sizes:
            self._sizes[key] = self._auto(first, pending)
        return self._sizes[key]

    def _auto(self, first: PlannedTrial, pending: Sequence[PlannedTrial]) -> int:
        config, number = first.config, len(self._like(first, pending))
        decoded = config.objective.num_samples * config.batch_size
        if self._on_gpu or decoded * config.flops(sizes_of(config.data).layout).decode > MOST_FLOPS:
            return 1
        # No core idles: what else is pending takes the others.
        packs = max(self._at_once if number == len(pending) else 1, math.ceil(number / MOST_AUTO))
        size = math.ceil(number / packs)
        return size if size >= LEAST_AUTO else 1

    def _like(self, first: PlannedTrial, pending: Sequence[PlannedTrial]) -> list[PlannedTrial]:
        """The trials that may train in a pack with the first, itself included, in order."""
        key, slots = self._key(first), self._slots.get(first.key)
        return [one for one in pending if self._slots.get(one.key) == slots and self._key(one) == key]

    def _key(self, trial: PlannedTrial) -> str | None:
        if trial.key not in self._keys:
            self._keys[trial.key] = pack_key(trial.config)
        return self._keys[trial.key]


def in_words(groups: Sequence[Together]) -> str:
    """What is packed: ``8 packs of 3 trials, 4 trials alone``."""
    packs = Counter(len(group.trials) for group in groups if group.slots is not None)
    if not packs:
        return "every trial alone"
    most, least = max(packs), min(packs)
    size = f"{most}" if most == least else f"{least} to {most}"
    said = f"{plural(packs.total(), 'pack')} of {size} trials"
    alone = sum(group.slots is None for group in groups)
    return said + (f", {plural(alone, 'trial')} alone" if alone else "")
