"""What a trial needs and what a cluster's nodes have: a trial runs on one node, never on a sum of them."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from iwae.errors import ConfigError
from sweeps.spec.resources import Resources
from sweeps.spec.search import MAX_TRIALS


@dataclass(frozen=True)
class Node:
    """CPUs and GPUs of one node, and how many of them are free now (None when that is not known)."""

    cpus: float
    gpus: float
    free_cpus: float | None = None
    free_gpus: float | None = None

    def fits(self, needed: Resources) -> bool:
        """Whether a trial can ever run here."""
        return needed.cpus <= self.cpus and needed.gpus <= self.gpus

    def fits_now(self, needed: Resources) -> bool:
        """Whether a trial can start here at once, as far as it is known."""
        return (self.free_cpus is None or needed.cpus <= self.free_cpus) and (
            self.free_gpus is None or needed.gpus <= self.free_gpus
        )


def check_fits(needed: Resources, nodes: Sequence[Node]) -> None:
    """Refuse what no node can ever give.

    Raises:
        ConfigError: naming what is there.
    """
    if any(node.fits(needed) for node in nodes):
        return
    there = describe(nodes)
    for name, unit in (("gpus", "GPUs"), ("cpus", "CPUs")):
        asked, most = getattr(needed, name), max((getattr(node, name) for node in nodes), default=0)
        if asked > most:
            raise ConfigError(
                f"resources.{name}",
                f"{asked:g} is not allowed: must be <= {most:g}, the {unit} of one node"
                f" of the cluster ({there})",
            )
    raise ConfigError(
        "resources",
        f"{_amounts(needed.cpus, needed.gpus)} are not allowed together: must fit on one node"
        f" of the cluster ({there})",
    )


def waiting(needed: Resources, nodes: Iterable[Node]) -> str | None:
    """Why a trial cannot start at once, in words; None when it can."""
    fitting = [node for node in nodes if node.fits(needed)]
    if any(node.fits_now(needed) for node in fitting):
        return None
    kinds = [("CPU", needed.cpus, [(node.free_cpus, node.cpus) for node in fitting])]
    if needed.gpus:
        kinds.append(("GPU", needed.gpus, [(node.free_gpus, node.gpus) for node in fitting]))
    free = " and ".join(
        f"{sum(f or 0 for f, _ in amounts):g} of {sum(total for _, total in amounts):g} {unit}s"
        for unit, _, amounts in kinds
    )
    return f"a trial needs {_amounts(needed.cpus, needed.gpus)} on one node; free now: {free}"


def unused_gpus(needed: Resources, nodes: Iterable[Node]) -> list[str]:
    """A line when there are GPUs and the trials are not to have any."""
    there = sum(node.gpus for node in nodes)
    if needed.gpus or not there:
        return []
    return [
        f"leaves {there:g} GPU{'' if there == 1 else 's'} unused: --set resources.gpus=1 gives a trial one"
    ]


def at_once(needed: Resources, nodes: Iterable[Node]) -> int:
    """How many trials run at once where nothing else does, at least 1."""
    shares = [
        min(node.cpus // needed.cpus, node.gpus // needed.gpus if needed.gpus else math.inf) for node in nodes
    ]
    return max(1, min(int(sum(shares)), needed.max_concurrent or MAX_TRIALS))


def describe(nodes: Iterable[Node]) -> str:
    """The nodes in words: ``2 nodes of 8 CPUs and 1 GPU, 1 node of 2 CPUs``."""
    kinds = Counter((node.cpus, node.gpus) for node in nodes)
    words = [
        f"{number} node{'' if number == 1 else 's'} of {_amounts(cpus, gpus)}"
        for (cpus, gpus), number in sorted(kinds.items(), reverse=True)
    ]
    return ", ".join(words) or "no node"


def _amounts(cpus: float, gpus: float) -> str:
    shown = f"{cpus:g} CPU{'' if cpus == 1 else 's'}"
    return f"{shown} and {gpus:g} GPU{'' if gpus == 1 else 's'}" if gpus else shown
