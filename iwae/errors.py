"""The exceptions of `iwae`, and the root of those of every package.

SweepError
├── UserError (ValueError)      the user's mistake: one line, exit code 2
│   ├── ConfigError             a value of a configuration or a spec
│   │   └── ConfigErrors        several of them
│   ├── DataError               a data set that is missing or malformed
│   └── CheckpointError         weights or a trainer's state that cannot be used
├── PackError                   trials that cannot train as one program: each trains alone
├── TrainingError               the work itself failed: the trial is FAILED
│   └── NonFiniteError          NaN or infinity, with its epoch and term
└── Stopped                     no failure: the work was asked to end early

`tracking.errors` and `sweeps.errors` hold what those packages raise.
"""

from collections.abc import Sequence
from typing import Any


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

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return type(self), (self.path, self.message)

    @property
    def errors(self) -> "tuple[ConfigError, ...]":
        """Each mistake on its own: this one, or those of `ConfigErrors`."""
        return (self,)


class ConfigErrors(ConfigError):  # noqa: N818 (several)
    """Several values that are not allowed, a line each; ``path`` and ``message`` are the first one's."""

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        super().__init__(errors[0].path, errors[0].message)
        self.args = ("\n".join(map(str, errors)),)
        self._errors = tuple(errors)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return type(self), (self._errors,)

    @property
    def errors(self) -> tuple[ConfigError, ...]:
        """The mistakes, in order."""
        return self._errors


def raise_all(errors: Sequence[ConfigError]) -> None:
    """Raise what is wrong, as one exception; nothing where nothing is."""
    if len(errors) > 1:
        raise ConfigErrors(errors)
    if errors:
        raise errors[0]


class DataError(UserError):
    """A data set that cannot be found, downloaded or read."""


class CheckpointError(UserError):
    """Weights, or the state of a trainer, that cannot be read or belong to another configuration."""


class Stopped(SweepError):  # noqa: N818 (not an error)
    """The work was asked to stop before its end; what was done so far can be resumed."""


class PackError(SweepError):
    """Trials cannot train together in a pack; alone they can."""


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
