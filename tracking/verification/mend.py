"""Mends what a broken disk or a crash below us left of a sweep's files, so that it can go on."""

import zipfile
from collections.abc import Iterator

from tracking.errors import AlteredError
from tracking.files.files import Stamp
from tracking.records.shapes import Attempt, Held, SessionEntry
from tracking.storage.manifest import ZIP, Decided
from tracking.storage.sweep import PROBE, SweepStorage
from tracking.storage.trial import TrialStorage


def mend(storage: SweepStorage) -> list[str]:
    """Replace or remove every file that is torn; no other process may work on the sweep meanwhile.

    A torn checkpoint leaves the one before it; a torn final unit or outcome leaves a trial that is not
    complete and is run again from what it has; a torn attempt keeps its number and its time. A result that
    was altered is left as it is: it is not believed, and `verify` says so. Of an altered session, which holds
    no result, no more than the time of its file is kept, and of a probe or a forecast nothing.

    Returns:
        What was done, in a line each.
    """
    done = [*_decided(storage), *_sessions(storage), *_timings(storage)]
    for key, names in storage.trial_names().items():
        for name, stamp in names.items():
            path = storage.trial(key).path(name)
            if name.endswith(".zip") and _is_torn_unit(storage, key, name):
                storage.files.delete(path)
                done.append(f"{key[:12]}: {name} was torn: the trial goes on from what was before it")
            elif name.endswith(".json") and _is_torn(storage, key, name):
                if name.startswith("attempt-"):
                    _replace_attempt(storage.trial(key), name, stamp)
                else:
                    storage.files.delete(path)
                done.append(f"{key[:12]}: {name} was torn")
    return done


def _decided(storage: SweepStorage) -> Iterator[str]:
    """Make the unit and the plain files the same again; the unit knows whether it is whole."""
    files = storage.files
    try:
        decided = Decided.read(files.read(storage.path(ZIP)))
    except AlteredError:
        return
    except (FileNotFoundError, zipfile.BadZipFile):
        decided = storage.decided()
        decided.plan(), decided.spec()  # raises what is wrong with the plain files too
        files.write(storage.path(ZIP), decided.to_bytes())
        yield f"{ZIP} was torn or missing: made again from the plain files"
        return
    for name, content in decided.members.items():
        try:
            same = files.read(storage.path(name)) == content
        except FileNotFoundError:
            same = False
        if not same:
            files.write(storage.path(name), content)
            yield f"{name} was not what was decided: written again"


def _sessions(storage: SweepStorage) -> Iterator[str]:
    stamps = storage.files.entries(storage.path("sessions"))
    for number in storage.session_numbers():
        if storage.session(number) is None:
            when = stamps[f"{number:04d}.json"].changed
            lost = SessionEntry(
                command=None,
                hostname="",
                pid=0,
                process_started=0.0,
                started=when,
                heartbeat=when,
                ended=when,
                outcome="interrupted",
                torn=True,
            )
            storage.write_session(number, lost)
            yield f"sessions/{number:04d}.json was torn or altered"


def _timings(storage: SweepStorage) -> Iterator[str]:
    """Remove probes and forecasts that are not believed: the seconds are then those that trials measured."""
    forecasts = [f"forecasts/{name}" for name in storage.files.entries(storage.path("forecasts"))]
    for name in (PROBE, *sorted(forecasts)):
        there = storage.files.stamp(storage.path(name)) is not None
        if there and storage.read_json(name) is None:
            storage.files.delete(storage.path(name))
            yield f"{name} was torn or altered: removed"


def _replace_attempt(trial: TrialStorage, name: str, stamp: Stamp) -> None:
    """Write an attempt anew of which only the time is known, with what was held before it."""
    number = int(name.removeprefix("attempt-").removesuffix(".json"))
    before = trial.attempt(number - 1)
    earlier = Held() if before is None else before.earlier
    trial.write_attempt(number, Attempt(started=stamp.changed, torn=True, earlier=earlier))


def _is_torn(storage: SweepStorage, key: str, name: str) -> bool:
    try:
        storage.unseal(f"trials/{key}/{name}")
    except (FileNotFoundError, AlteredError):
        return name == "progress.json"  # no result: how far it was said to be is of no use to anybody now
    except ValueError:
        return True
    return False


def _is_torn_unit(storage: SweepStorage, key: str, name: str) -> bool:
    try:
        # Read as a whole: what cannot be read is a StorageError, and not removed as torn.
        storage.trial(key).unit(name)
    except (FileNotFoundError, AlteredError):
        return False
    except zipfile.BadZipFile:
        return True
    return False
