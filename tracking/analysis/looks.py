"""How often a sweep was looked at: each look is another chance to find a difference that is not there."""

from tracking.records.records import SweepRecord


def looks_of(record: SweepRecord) -> int:
    """How often the sweep had ended when a configuration was given more seeds, plus 1.

    Who stops adding seeds at the first difference that is separable has looked so often.
    """
    looks = 1
    for session in record.sessions:
        end = session.ended
        if end is None or session.outcome != "finished":
            continue
        for trials in record.configurations.values():
            ends = [trial.ended for trial in trials if trial.ended is not None]
            if ends and min(ends) <= end < max(ends):
                looks += 1
                break
    return looks
