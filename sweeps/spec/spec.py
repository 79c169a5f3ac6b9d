"""SweepSpec: a sweep's YAML, checked before anything starts."""

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, ValidationError, model_validator

from iwae.config import yaml
from iwae.config.evaluation import EvaluationConfig
from iwae.config.part import Part, PartError
from iwae.config.train import TrainConfig, flatten
from iwae.errors import ConfigError, ConfigErrors, raise_all
from sweeps.pace.equal_seconds import EqualSeconds
from sweeps.pace.seconds import Seconds
from sweeps.space.space import Space, merge, parse_space
from sweeps.spec.assignments import Assignments, assign_all, plain
from sweeps.spec.assignments import assign as assign
from sweeps.spec.checks import CheckedSearch, check_search, grace_epochs
from sweeps.spec.early_stopping import NoScheduler, Scheduler
from sweeps.spec.extent import Extent
from sweeps.spec.mistakes import mistakes
from sweeps.spec.resources import Budget, Resources, Tracking
from sweeps.spec.schema import for_editors
from sweeps.spec.search import MODEL_BASED, SearchSpec
from sweeps.spec.surroundings import with_data_found
from tracking.records import names

# Only these decide the results; the rest may change on resume.
_DECIDING = ("name", "base", "search", "scheduler")
_WHERE_IT_RUNS = ("base.device", "base.threads", "base.chunk_size", "base.activation_bytes")


class SweepSpec(Part):
    """The complete specification of a sweep.

    Attributes:
        name: unique in a tracking store; letters, digits, ``-``, ``_`` and ``.``.
        base: the configuration of every trial before the space and the seed are put in.
        checkpoint_every: seconds between a trial's checkpoints.
        keep_checkpoints: how many of a trial's newest checkpoints are kept; a complete trial keeps its last.
        retries: how often a trial is started again after its worker was lost.
        shrink_retries: how often a trial that ran out of memory is started again with half as many images in
            memory at once; with 0 it is FAILED at once.
        notify: a command of the shell that is run when the sweep has ended, failed or was interrupted, with
            the result as JSON on standard input. It is recorded with the spec: name secrets as ``$TOKEN``.
    """

    later: ClassVar[frozenset[str]] = frozenset({"notify"})

    name: str = Field(max_length=names.MAX_LENGTH, json_schema_extra={"pattern": f"^{names.PATTERN}$"})
    base: TrainConfig = TrainConfig()
    search: SearchSpec
    scheduler: Scheduler = NoScheduler(name="none")
    budget: Budget = Budget()
    resources: Resources = Resources()
    tracking: Tracking = Tracking()
    checkpoint_every: Seconds = 10.0
    keep_checkpoints: int = Field(default=2, ge=1, le=1000)
    retries: int = Field(default=2, ge=0, le=1000)
    shrink_retries: int = Field(default=3, ge=0, le=20)
    notify: str | None = Field(default=None, min_length=1)

    _base: dict[str, Any] = PrivateAttr()
    _space: Space = PrivateAttr()
    _checked: CheckedSearch = PrivateAttr()

    @model_validator(mode="wrap")
    @classmethod
    def _check(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        spec = handler(values)
        if spec is values:
            return spec
        wrong = _wrong_together(spec)
        try:
            spec._space = parse_space(spec.search.space, spec.base)
        except ConfigError as error:
            wrong += error.errors
        raise_all(wrong)
        spec._base = spec.base.to_dict()
        if any(path == "data" or path == "data.name" for path in spec.search.space):
            # What the data set decides is filled in for each trial, so the base holds only what was written.
            spec._base["evaluation"] = _as_written(values, spec.base)
        spec._checked = check_search(spec.search, spec._space, spec.scheduler, spec.base, spec.configuration)
        return spec

    @classmethod
    def parse(cls, values: Any, path: str = "") -> Self:
        """The spec in ``values``.

        Raises:
            ConfigError: a key is unknown, or a value is not allowed; `ConfigErrors` where several are.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            found = mistakes(error, cls, values, path)
        raise ConfigErrors(found) if len(found) > 1 else found[0]

    @property
    def space(self) -> Space:
        """The search space, parsed."""
        return self._space

    @property
    def extent(self) -> Extent:
        """The largest K, and the fewest samples of the final likelihood."""
        return self._checked.extent

    @property
    def grid(self) -> Sequence[tuple[Mapping[str, Any], TrainConfig]]:
        """Every point of a grid with its configuration (seed 0), in order; empty for other samplers."""
        return self._checked.grid

    @property
    def is_model_based(self) -> bool:
        """Whether configurations are suggested as results come in, instead of drawn before the start."""
        return self.search.sampler.name in MODEL_BASED

    @property
    def grace_epochs(self) -> int:
        """Epochs before which early stopping ends no trial."""
        return grace_epochs(self.space, self.scheduler, self.base)

    def configuration(self, overrides: Mapping[str, Any]) -> TrainConfig:
        """The base with a point of the space put in, and seed 0; at equal seconds with the epochs that fit.

        Raises:
            ConfigError: together they are not a valid configuration.
        """
        renamed = {path.removesuffix(".name") for path in overrides if path.endswith(".name")}
        # Another kind of part takes over what the base says of it, but none of the first kind's defaults.
        said = {
            name: getattr(self.base, name).model_dump(mode="json", exclude_defaults=True) for name in renamed
        }
        config = TrainConfig.parse(merge({**self._base, **said}, overrides))
        return self.search.equal_seconds.fitted(config) if self.search.equal_seconds else config

    def paced(self, pace: EqualSeconds) -> "SweepSpec":
        """The spec with what was measured for equal seconds."""
        values = self.to_dict()
        return self.parse({**values, "search": {**values["search"], "equal_seconds": pace.model_dump()}})

    def to_dict(self) -> dict[str, Any]:
        """The complete spec as plain data; ``SweepSpec.parse`` gives the same spec again."""
        return {**self.model_dump(mode="json"), "base": merge(self._base, {})}


def _wrong_together(spec: SweepSpec) -> list[ConfigError]:
    """Mistakes across sections whose own values are right."""
    wrong = []
    if not names.is_name(spec.name):
        wrong.append(PartError("name", repr(spec.name), names.MUST_BE))
    if spec.base.seed != 0:
        wrong.append(PartError("base.seed", spec.base.seed, "left out: search.seeds holds the seeds"))
    if spec.budget.gpu_hours is not None and spec.resources.gpus == 0:
        must_be = "null when resources.gpus is 0 (budget.cpu_hours limits CPUs)"
        wrong.append(PartError("budget.gpu_hours", spec.budget.gpu_hours, must_be))
    return [ConfigError(one.path, str(one)) for one in wrong]


def with_seed(config: TrainConfig, seed: int) -> TrainConfig:
    """A replicate of a configuration; ``seed`` is one of ``search.seeds``, which are checked already."""
    return config.model_copy(update={"seed": seed})


def load_spec(
    source: str | Path | Mapping[str, Any],
    assignments: Assignments = (),
    name: str | None = None,
    *,
    here: bool = True,
) -> SweepSpec:
    """The spec in a file, a ready one, or one that is written as a mapping.

    Args:
        source: path of a YAML file, the name of a ready spec, or the spec as plain data.
        assignments: ``path=value`` or values by path, each put in before anything is checked.
        name: replaces the spec's own.
        here: make paths absolute as seen from the current folder; False where they are of other machines.

    Raises:
        ConfigError: there is no such file, or the spec is not allowed; `ConfigErrors` names every mistake.
    """
    document = plain(source) if isinstance(source, Mapping) else _read(str(source))
    document, wrong = assign_all(document, assignments)
    document = with_data_found(document, here=here)
    try:
        spec = new_spec(document if name is None else {**document, "name": name})
    except ConfigError as error:
        raise_all([*wrong, *error.errors])
        raise
    raise_all(wrong)
    return spec


def _read(source: str) -> Mapping[str, Any]:
    text = _text(source)
    try:
        document = yaml.load(text)
    except ConfigError as error:
        raise ConfigError(source, str(error)) from None
    if not isinstance(document, Mapping):
        raise ConfigError(source, "must be a mapping with name, base and search")
    return document


def new_spec(document: Mapping[str, Any]) -> SweepSpec:
    """The spec of a new sweep, which must have enough final samples to rank its trials.

    Raises:
        ConfigError: the spec is not allowed.
    """
    spec = SweepSpec.parse(document)
    spec.extent.refuse_few_samples()
    return spec


def _text(source: str) -> str:
    path = Path(source)
    try:
        if path.is_file():
            return path.read_text("utf-8")
        if path.exists():
            raise ConfigError("", f"{source} is not allowed: must be a file, not a folder, device or pipe")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(source[: names.MAX_LENGTH], f"cannot be read: {why}") from None
    ready = ready_specs()
    if source not in ready:
        raise ConfigError(
            "",
            f"{source}: no such file or ready spec: must be a file or one of {', '.join(ready)}",
        )
    return resources.files("sweeps.specs").joinpath(f"{source}.yaml").read_text("utf-8")


def ready_specs() -> dict[str, str]:
    """The specs that come with the package: name and first line of the comment at its top."""
    files = [file for file in resources.files("sweeps.specs").iterdir() if file.name.endswith(".yaml")]
    lines = {file.name.removesuffix(".yaml"): file.read_text("utf-8").splitlines()[0] for file in files}
    return {name: lines[name].removeprefix("#").strip() for name in sorted(lines)}


def _as_written(values: Mapping[str, Any], base: TrainConfig) -> dict[str, Any]:
    """The base's evaluation without what its data set's defaults filled in."""
    written = values.get("base", {})
    if not isinstance(written, Mapping):
        return base.evaluation.model_dump(mode="json")
    evaluation = written.get("evaluation", {})
    names = evaluation if isinstance(evaluation, Mapping) else EvaluationConfig.model_fields
    return {name: value for name, value in base.evaluation.model_dump(mode="json").items() if name in names}


def differences(old: SweepSpec, new: SweepSpec) -> list[str]:
    """Paths at which two specs differ in what decides the results."""
    before, after = (flatten({part: spec.to_dict()[part] for part in _DECIDING}) for spec in (old, new))
    paths = [path for path in {**before, **after} if path not in _WHERE_IT_RUNS]
    missing = object()
    return [path for path in paths if before.get(path, missing) != after.get(path, missing)]


def json_schema() -> dict[str, Any]:
    """The JSON schema (draft 7) of a spec, for editors."""
    return for_editors(SweepSpec)
