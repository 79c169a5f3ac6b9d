"""What passes between a command here and a job on the cluster: JSON with a code, one object on a line.

The job prints its answer in its log, which the Job API returns. `message` is for people; nothing here or
there depends on its words.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

# The environment variable that tells a sweeps command that it runs as a job, and its submission id.
JOB_VARIABLE = "SWEEPS_JOB"
_KEY = "sweeps_job"


class Code(StrEnum):
    """What an answer means."""

    STATUS = "status"
    STOP_REQUESTED = "stop_requested"
    NOT_RUNNING = "not_running"
    NO_SWEEP = "no_sweep"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True)
class Question:
    """What is asked of the storage that the cluster's nodes see.

    Attributes:
        what: ``status`` or ``stop``; a stop is requested and not waited for.
        name: of the sweep.
        storage: as the nodes see it; None is the one that their environment names.
        job: the submission id of the job that answers.
    """

    what: str
    name: str
    storage: str | None
    job: str

    def to_json(self) -> str:
        """One argument of a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The question in ``to_json``'s text."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Answer:
    """What a job says of itself, or of what it was asked.

    Attributes:
        job: its submission id.
        code: what the answer means.
        message: for people, one line.
        status: with ``Code.STATUS``, what `status --json` says.
    """

    job: str
    code: Code
    message: str = ""
    status: Mapping[str, Any] | None = None

    def to_json(self) -> str:
        """The answer as one line."""
        return json.dumps(
            {_KEY: self.job, "code": self.code, "message": self.message, "status": self.status},
            allow_nan=False,
        )

    @classmethod
    def from_line(cls, line: str) -> Self | None:
        """The answer in a line of a log; None when it is another line."""
        if _KEY not in line:
            return None
        try:
            values = json.loads(line)
            return cls(values[_KEY], Code(values["code"]), values["message"], values["status"])
        except (ValueError, TypeError, KeyError):
            return None

    @classmethod
    def find(cls, job: str, log: str) -> Self | None:
        """The last answer of this job in its log; None when it gave none."""
        found = (cls.from_line(line) for line in reversed(log.splitlines()))
        return next((answer for answer in found if answer is not None and answer.job == job), None)


class LogForPeople:
    """Passes a log on line by line, without the answers in it.

    Args:
        write: takes text as it comes; every line but the log's last is whole.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._begun = ""

    def write(self, text: str) -> None:
        """Take the next piece of the log."""
        *lines, self._begun = (self._begun + text).split("\n")
        self._write("".join(f"{line}\n" for line in lines if Answer.from_line(line) is None))

    def end(self) -> None:
        """Pass on a last line without an end."""
        if Answer.from_line(self._begun) is None:
            self._write(self._begun)
