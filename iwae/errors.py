"""The exceptions of `iwae`, and the root of those of every package.

SweepError
├── UserError (ValueError)      the user's mistake: one line, exit code 2
│   ├── ConfigError             a value of a configuration or a spec
│   ├── DataError               a data set that is missing or malformed
│   └── CheckpointError         weights or a trainer's state that cannot be used
├── TrainingError               the work itself failed: the trial is FAILED
│   └── NonFiniteError          NaN or infinity, with its epoch and term
└── Stopped                     no failure: the work was asked to end early

`tracking.errors` and `sweeps.errors` hold what those packages raise.
"""


class SweepError(Exception):
    """Root of every exception that this project raises on purpose."""


class UserError(SweepError, ValueError):
    """The user's mistake; its text is one line that names the fix."""


class ConfigError(UserError):
    """A value that is not allowed: "`path`: value is not allowed: must be ..."."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[str, str]]:
        return type(self), (self.path, self.message)


class DataError(UserError):
    """A data set that cannot be found, downloaded or read."""


class CheckpointError(UserError):
    """Weights, or the state of a trainer, that cannot be read or belong to another configuration."""


class Stopped(SweepError):  # noqa: N818 (not an error)
    """The work was asked to stop before its end; what was done so far can be resumed."""


class TrainingError(SweepError):
    """Training failed for a reason in the trial itself."""


class NonFiniteError(TrainingError, ArithmeticError):
    """NaN or infinity in training or evaluation.

    Attributes:
        epoch: the epoch, from 1, in which it was found.
        term: what was not finite, for example ``log_p_x_given_z``.
    """

    def __init__(self, epoch: int, term: str, value: float) -> None:
        super().__init__(f"{term} became {value} in epoch {epoch}")
        self.epoch = epoch
        self.term = term
        self.value = value

    def __reduce__(self) -> tuple[type["NonFiniteError"], tuple[int, str, float]]:
        return type(self), (self.epoch, self.term, self.value)
