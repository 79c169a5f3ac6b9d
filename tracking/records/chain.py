"""The chain of hashes over what a sweep wrote, whose heads MLflow keeps: a witness of what storage held.

A seal shows that a file was edited. An edit of a file and its seal leaves a chain that ends elsewhere than
the one that was recorded. What is only lost, and made again by a later attempt, continues the chain.
"""

import hashlib

from tracking.records.records import SweepRecord, TrialRecord, TrialState

TAG = "sweeps.chain"
ATTEMPTS = "the record of its attempts"
_RESULTS = {
    TrialState.COMPLETE: "final.zip",
    TrialState.PRUNED: "outcome.json",
    TrialState.FAILED: "outcome.json",
}
_NONE = "-"


def head(trial: TrialRecord) -> str | None:
    """The end of a trial's chain: its attempts' number and hash, its result's file and hash.

    None where a file has no seal, in a sweep from before there were seals or where one is not believed.
    """
    attempts = _attempts(trial, len(trial.attempts))
    name = _RESULTS.get(trial.state)
    if attempts is None or (name is not None and name not in trial.seals):
        return None
    result = f"{name} {trial.seals[name]}" if name is not None else f"{_NONE} {_NONE}"
    return f"{len(trial.attempts)} {attempts} {result}"


def altered(recorded: str | None, trial: TrialRecord) -> str | None:
    """What of a trial is not as its head was recorded, and no later attempt explains; None if nothing.

    Args:
        recorded: the head that MLflow keeps.
        trial: as storage holds it now.
    """
    parts = (recorded or "").split(" ")
    if len(parts) != 4 or not parts[0].isdigit():
        return None
    number, (attempts, name, result) = int(parts[0]), parts[1:]
    now = _attempts(trial, number)
    if now is not None and now != attempts:
        return ATTEMPTS
    same_attempt = len(trial.attempts) == number and _RESULTS.get(trial.state) == name
    return name if same_attempt and trial.seals.get(name, result) != result else None


def decision_altered(recorded: str | None, record: SweepRecord) -> bool:
    """Whether spec, plan, code or data are not what was recorded, nor decided later."""
    if recorded is None or record.decided is None:
        return False
    return recorded != record.decided and recorded not in record.earlier


def _attempts(trial: TrialRecord, number: int) -> str | None:
    """The chained hash of the first attempts; None where one is missing or torn, or has no seal."""
    chained = hashlib.sha256(trial.key.encode())
    if number > len(trial.attempts):
        return None
    for position, attempt in enumerate(trial.attempts[:number], start=1):
        seal = trial.seals.get(f"attempt-{position:04d}.json")
        if seal is None or attempt is None or attempt.torn:
            return None
        chained = hashlib.sha256(chained.digest() + seal.encode())
    return chained.hexdigest()
