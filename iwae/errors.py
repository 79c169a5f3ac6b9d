"""The exceptions of the project, one tree.

SweepError
├── UserError (ValueError)      somebody's mistake: one line, exit code 2
│   ├── ConfigError             a value of a configuration or a spec
│   ├── DataError               a data set that is missing or malformed
│   └── RecordError             a sweep, run, store or storage that is not as asked for
│       └── RefusedError        the tracking store answers, and refuses: asking again is of no use
├── TrainingError               the work itself failed: the trial is FAILED
│   └── NonFiniteError          NaN or infinity, with its epoch and term
└── Stopped                     no failure: somebody asked the work to end early
"""


class SweepError(Exception):
    """Root of every exception that this project raises on purpose."""


class UserError(SweepError, ValueError):
    """A mistake of the user's; its text is one line that names the fix."""


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


class RecordError(UserError):
    """A sweep, run, tracking store or storage that is not what the command needs."""


class RefusedError(RecordError):
    """What the tracking store was asked for is refused, and will be as long as nobody changes something."""


class Stopped(SweepError):  # noqa: N818 (not an error)
    """The work was asked to stop before its end; what it did so far can be resumed."""


class TrainingError(SweepError):
    """Training failed for a reason that lies in the trial itself."""


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
