"""What was decided before a trial ran: the spec's hash, the trials of the plan, what their data sets hold."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Any, Self

from iwae.config.data import DataConfig
from iwae.config.part import Part, parse
from iwae.config.train import TrainConfig, flatten
from iwae.errors import ConfigError

# Leaves that stand in a configuration's name by themselves.
_NAMED = frozenset(
    {
        *("objective.num_samples", "objective.name", "annealing.name"),
        *("model.name", "model.latent_dim", "model.first_latent_dim", "model.num_components"),
        "model.probabilistic",
    }
)
_DECIDING = ("base", "search", "scheduler")


@dataclass(frozen=True)
class PlannedTrial:
    """One line of the plan.

    Attributes:
        index: position in the plan, from 0.
        overrides: what the search space set, by path: ``{"objective.num_samples": 50, ...}``; a whole part
            such as ``annealing`` is one entry with a mapping as its value. The seed is not among them.
        config: the complete configuration, seed included.
    """

    index: int
    overrides: Mapping[str, Any]
    config: TrainConfig

    def __repr__(self) -> str:
        return f"PlannedTrial({self.name!r})"

    @cached_property
    def key(self) -> str:
        """The trial's identity: the configuration's key."""
        return self.config.key

    @cached_property
    def configuration_key(self) -> str:
        """Identity of the configuration that seeds are replicates of."""
        return self.config.configuration_key

    @cached_property
    def name(self) -> str:
        """A name that a person can read: ``K=50 D=20 linear s0``."""
        return f"{self.configuration_name} s{self.config.seed}"

    @cached_property
    def varied(self) -> dict[str, Any]:
        """What the search space set, leaf by leaf, the own defaults of a whole part included.

        At equal seconds ``config`` has other numbers of epochs than these, scaled to its training.
        """
        leaves: dict[str, Any] = {}
        for path, value in self.overrides.items():
            part = attrgetter(path)(self.config)
            whole = parse(type(part), value).model_dump(mode="json") if isinstance(part, Part) else value
            leaves.update(flatten({path: whole}))
        return leaves

    @cached_property
    def configuration_name(self) -> str:
        """The name without the seed; what else is varied stands behind K, D and the annealing."""
        config, model = self.config, self.config.model
        words = [model.size_label]
        if model.most_samples != 1 or "objective.num_samples" in self.overrides:
            words.insert(0, f"K={config.objective.num_samples}")
        if model.title != "vae" or "model.name" in flatten(self.overrides):
            words.insert(0, model.title)
        if config.objective.name != "iwae":
            words.append(config.objective.name)
        if config.annealing.name != "none" or "annealing" in self.overrides:
            words.append("no-annealing" if config.annealing.name == "none" else config.annealing.name)
        for path, value in self.overrides.items():
            part = attrgetter(path)(config)
            # Of a whole part only what differs from the part's own defaults: `linear`, or `linear start=0.1`.
            chosen = value
            if isinstance(part, Part):
                chosen = parse(type(part), value).model_dump(exclude_defaults=True)
            for leaf, shown in flatten({path: chosen}).items():
                if leaf not in _NAMED:
                    words.append(
                        str(shown) if leaf.endswith(".name") else f"{leaf.rpartition('.')[2]}={_short(shown)}"
                    )
        return " ".join(words)

    def to_json(self) -> str:
        """One line of ``plan.jsonl``."""
        return json.dumps(
            {
                "index": self.index,
                "key": self.key,
                "overrides": dict(self.overrides),
                "config": self.config.to_dict(),
            }
        )

    @classmethod
    def from_json(cls, line: str) -> "PlannedTrial":
        """The trial in one line of ``plan.jsonl``; a line that was read before is not parsed again."""
        return _planned(line)


# Storage is read afresh many times in a sweep, and its plan only grows.
@lru_cache(maxsize=10_000)
def _planned(line: str) -> PlannedTrial:
    values = json.loads(line)
    planned = PlannedTrial(values["index"], values["overrides"], TrainConfig.parse(values["config"]))
    # Computing it again costs as much as reading the line; `verify` compares the two.
    planned.__dict__["key"] = values["key"]
    return planned


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "×".join(map(_short, value)) if isinstance(value, list | tuple) else str(value)


@dataclass(frozen=True)
class DataSet:
    """The content of one data set of a plan.

    Attributes:
        config: which set, and how it is split.
        sha256: of the bytes of its three splits, in hexadecimal.
        measured_sha256: of those of validation and test: what likelihoods are measured on.
        repeated: how many validation and test images are training images too, by split.
        sizes: how many there are of them.
        remarks: what whoever compares likelihoods on it should know, a sentence each.
    """

    config: DataConfig
    sha256: str
    measured_sha256: str
    repeated: Mapping[str, int]
    sizes: Mapping[str, int]
    remarks: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON data; without remarks where there are none, as before there were any."""
        values = {**vars(self), "config": self.config.model_dump(mode="json"), "remarks": list(self.remarks)}
        return {name: value for name, value in values.items() if name != "remarks" or value}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The data set in ``to_dict``'s values.

        Raises:
            ValueError, TypeError, KeyError: they are no data set.
        """
        remarks = tuple(values.get("remarks", ()))
        return cls(**{**values, "config": DataConfig.model_validate(values["config"]), "remarks": remarks})


def spec_sha256(spec: Mapping[str, Any]) -> str:
    """SHA-256 of a complete spec's base, search and scheduler, in hexadecimal.

    Where trials run (device, threads) is no part of it. The order in which the space names its paths, and an
    option the parameters that vary in it, is one: it decides which draw goes to which, and in what order a
    grid is run.
    """
    return _sha256(spec, _with_order)


def former_spec_sha256s(spec: Mapping[str, Any]) -> frozenset[str]:
    """The hashes that older versions recorded, which counted fewer orders or none."""
    part = {name: spec.get(name) for name in _DECIDING}
    unordered = json.dumps(part, sort_keys=True, separators=(",", ":"))
    return frozenset({hashlib.sha256(unordered.encode()).hexdigest(), _sha256(spec, lambda entry: entry)})


def _sha256(spec: Mapping[str, Any], ordered: Callable[[Any], Any]) -> str:
    search = spec.get("search")
    if isinstance(search, Mapping) and isinstance(search.get("space"), Mapping):
        space = [[path, ordered(entry)] for path, entry in search["space"].items()]
        search = {**search, "space": space}
    parts = {"base": _canonical(spec.get("base")), "search": search, "scheduler": spec.get("scheduler")}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _with_order(node: Any) -> Any:
    """An entry that also lists, where it is not alphabetical, the order of an option's varied parameters.

    Only mappings vary, so the order of plain values changes nothing.
    """
    if isinstance(node, list | tuple):
        return [_with_order(below) for below in node]
    if not isinstance(node, Mapping):
        return node
    varied = [name for name, below in node.items() if isinstance(below, Mapping)]
    order = {} if varied == sorted(varied) else {"": varied}
    return {**{name: _with_order(below) for name, below in node.items()}, **order}


def _canonical(base: Any) -> Any:
    """The base without defaults and without where it runs; as it stands where it is no configuration."""
    return json.loads(_canonical_text(json.dumps(base)))


@lru_cache(maxsize=8)  # one sweep's base is asked for at every publication
def _canonical_text(base: str) -> str:
    try:
        return TrainConfig.parse(json.loads(base)).canonical_json()
    except ConfigError:
        return base
