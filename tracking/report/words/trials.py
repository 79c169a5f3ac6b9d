"""What the report cannot say because of how the trials were drawn, run and timed."""

from collections import Counter

from tracking.records.records import SweepRecord, TrialRecord, TrialState
from tracking.statistics.numbers import listing, plural

LEFT_OUT = (
    TrialState.PRUNED,
    TrialState.FAILED,
    TrialState.STOPPED,
    TrialState.RUNNING,
    TrialState.WAITING,
)
ADAPTIVE = ("tpe", "gp", "cmaes")


def left_out(record: SweepRecord) -> list[str]:
    """Trials that no table and no fit holds, and what pruning does to the rest."""
    counts = record.counts
    missing = [f"{counts[state]} {state}" for state in LEFT_OUT if state in counts]
    if not missing:
        return []
    done = counts.get(TrialState.COMPLETE, 0)
    words = f"{listing(missing)} of {plural(len(record.trials), 'trial')} are left out of every table and fit"
    going = any(state in counts for state in (TrialState.RUNNING, TrialState.WAITING, TrialState.STOPPED))
    sentences = [f"{words}; {done} are complete.{' The sweep has not ended.' if going else ''}"]
    if TrialState.PRUNED in counts:
        sentences.append(
            "The scheduler pruned trials by their early validation NLL. Configurations that learn slowly at"
            " first are missing more often, and the remaining seeds of a configuration are its luckier ones."
        )
    return sentences


def timing(record: SweepRecord) -> list[str]:
    """What limits the training seconds: shared machines, several machines, resumed trials."""
    trials = record.complete
    shared = [trial for trial in trials if trial.timing.get("shared")]
    sentences = []
    if shared:
        reasons = list(
            dict.fromkeys(str(trial.timing.get("reason") or "no reason recorded") for trial in shared)
        )
        said = (
            f"{len(shared)} of {plural(len(trials), 'complete trial')} shared their device or cores while"
            f" they trained ({listing(reasons, 3)})"
        )
        if record.alone:
            said += ": what they measured is given beside the seconds alone, and no comparison uses it."
        else:
            said += ": their seconds are not those of an idle machine, and differences in seconds may partly"
            said += " come from the load."
        sentences.append(said)
    if record.alone:
        kind = next(iter(record.alone.values())).machine
        sentences.append(
            f"Training seconds are those of {kind} with nothing else to do: trials that run side by side take"
            " longer, other machines less or more."
        )
    machines = {_machine(trial) for trial in trials} - {""}
    if len(machines) > 1 and not record.alone:
        sentences.append(
            f"Training seconds come from {len(machines)} machines or devices"
            f" ({listing(sorted(machines), 4)}): differences between them affect every fit and rate."
        )
    again = sum(len(trial.attempts) > 1 for trial in trials)
    if again:
        sentences.append(f"{plural(again, 'complete trial')} resumed from a checkpoint at least once.")
    return sentences


def codes(record: SweepRecord) -> list[str]:
    """That trials ran under more than one version of the code."""
    counts = Counter(code for trial in record.complete for code in sorted(_codes(trial)))
    if len(counts) < 2:
        return []
    named = [f"{plural(count, 'trial')} under {code}" for code, count in counts.items()]
    return [
        f"Complete trials ran under {len(counts)} versions of the code ({listing(named, 4)}):"
        " differences between them may partly come from the code."
    ]


def _codes(trial: TrialRecord) -> set[str]:
    noted = [{} if attempt is None else attempt.provenance for attempt in trial.attempts]
    found = {provenance.get("code_sha256") for provenance in noted}
    return {"an unrecorded version" if sha256 is None else f"{sha256[:12]}…" for sha256 in found}


def sampling(record: SweepRecord) -> list[str]:
    """What a sampler that follows the NLL does to fits over the space."""
    search = record.spec.get("search")
    sampler = search.get("sampler") if isinstance(search, dict) else None
    name = sampler.get("name") if isinstance(sampler, dict) else None
    if name not in ADAPTIVE:
        return []
    return [
        f"The {name} sampler chose configurations by the validation NLL of earlier ones, so they cluster"
        " where it was low. That biases fits and importances over the whole space."
    ]


def _machine(trial: TrialRecord) -> str:
    last = trial.attempts[-1] if trial.attempts else None
    host = "" if last is None else last.hostname
    return " ".join(
        filter(None, [host, str(trial.provenance.get("gpu") or trial.provenance.get("cpu") or "")])
    )
