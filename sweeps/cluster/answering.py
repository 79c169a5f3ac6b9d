"""Runs as a job on the cluster: answers a question about a sweep in storage that the nodes see.

``python -m sweeps.cluster.answering QUESTION`` prints one `Answer`. It exits with 0 whatever the answer is.
"""

import os
import sys

from iwae.errors import SweepError
from sweeps.cluster.answers import Answer, Code, Question
from sweeps.process import account
from tracking.addresses.reach import keep_loopback_direct
from tracking.addresses.secrets import masked
from tracking.files.places import open_storage
from tracking.storage.sweep import SweepStorage


def answer(question: Question) -> Answer:
    """Look at storage, or leave a stop request there."""
    where = question.storage or os.environ.get("SWEEPS_STORAGE") or "sweeps-storage"
    try:
        sweep = SweepStorage(open_storage(where), question.name)
        if not sweep.exists:
            return Answer(question.job, Code.NO_SWEEP, f"no sweep {question.name} in {sweep.files.uri}")
        return _stop(question, sweep) if question.what == "stop" else _status(question, sweep)
    except (SweepError, OSError) as error:
        return Answer(question.job, Code.REFUSED, masked(str(error))[0])


def _status(question: Question, sweep: SweepStorage) -> Answer:
    from sweeps.status import status_json

    return Answer(question.job, Code.STATUS, status=status_json(sweep))


def _stop(question: Question, sweep: SweepStorage) -> Answer:
    from sweeps import changes  # imports Ray, which a status does without

    if changes.stop(sweep, 0):
        said = f"asked {question.name} to stop: every trial writes a checkpoint first"
        return Answer(question.job, Code.STOP_REQUESTED, said)
    return Answer(question.job, Code.NOT_RUNNING, f"{question.name} is not running")


def main() -> None:
    """Print the answer to the question on the command line."""
    keep_loopback_direct()
    account.complete()
    print(answer(Question.from_json(sys.argv[1])).to_json(), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
