"""Storage is the truth: one folder for each sweep, written so that a crash leaves the old or the new.

    <storage>/<sweep>/
        sync.lock  sync.json                  which process writes its runs in MLflow, and which did last
        sweep.zip                             spec, plan, code, data and the sweep's id: what was decided
        spec.yaml  plan.jsonl  code.json      the same, for people; data.json and instance.json beside them
        sessions/0001.json                    one file a driver that worked on the sweep
        codes/0002.json                       the code of a later driver, where it is another one
        forecasts/0001.json                   what a driver said that its trials would take
        probe.json                            seconds of a step of each shape, alone on a kind of machine
        stop.json                             a request to stop; removed by `resume`
        trials/<key>/
            attempt-0001.json                 when, where and in which environment it started
            progress.json                     how far it is, a few seconds old
            checkpoint-000000001200.zip       by optimizer steps; the newest `keep_checkpoints` are kept
            final.zip                         the last unit of a complete trial
            outcome.json                      PRUNED, STOPPED or FAILED, and why

Where it is: `tracking.files`. A trial's files: `tracking.storage.trial`. What a checkpoint holds:
`tracking.storage.checkpoint`.
How each file proves that it is whole and whose it is: `tracking.records.seals`.
"""

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import replace

from tracking.files.files import Stamp
from tracking.files.places import open_storage as open_storage
from tracking.files.places import same_place
from tracking.records.exclusive import merged
from tracking.records.records import SweepRecord
from tracking.records.shapes import LaunchForecast, Probes, SessionEntry, ShapeProbe
from tracking.storage.manifest import Decided
from tracking.storage.sweep_files import SweepFiles
from tracking.storage.sweep_files import sweeps_in as sweeps_in
from tracking.storage.trial import TrialStorage

PROBE = "probe.json"


class SweepStorage(SweepFiles):
    """The files of one sweep: what is decided, its drivers, and what each trial left."""

    def record(self) -> SweepRecord:
        """Everything about the sweep, read afresh.

        Raises:
            RecordError: no such sweep.
        """
        decided = self.decided()
        names = self.trial_names()
        trials = self.each(
            lambda planned: self.trial(planned.key).record(planned, names.get(planned.key, ())),
            decided.plan(),
        )
        return replace(
            self.outline(decided),
            sessions=tuple(self.sessions()),
            trials=tuple(trials),
            probes=self.probes(),
            forecasts=self.forecasts(),
        )

    def outline(self, decided: Decided) -> SweepRecord:
        """The record without sessions and trials."""
        return SweepRecord(
            name=self.name,
            storage=self.files.uri,
            spec=decided.spec(),
            code=decided.code(),
            sessions=(),
            trials=(),
            data=decided.data(),
            decided=decided.head,
            earlier=decided.earlier,
            source=self,
        )

    @property
    def root(self) -> str:
        """The address of the storage that holds the sweep's folder."""
        return self.files.uri

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Wait until no other process holds the lock of this name, and hold it."""
        return self.files.lock(self.path(name))

    def is_at(self, root: str) -> bool:
        """Whether another address means the same storage, as far as this machine can tell."""
        return same_place(root, self.root)

    def namesake(self, root: str) -> "SweepStorage | None":
        """The sweep of this name in the storage at another address; None where that has none."""
        other = SweepStorage(open_storage(root), self.name)
        return other if other.exists else None

    # Trials

    def trial(self, key: str) -> TrialStorage:
        """The files of the trial with this key."""
        return TrialStorage(self, key)

    def trial_names(self) -> dict[str, dict[str, Stamp]]:
        """The files of every trial by key and name; one look at storage."""
        found: dict[str, dict[str, Stamp]] = {}
        for path, stamp in self.files.entries(self.path("trials")).items():
            key, _, name = path.partition("/")
            found.setdefault(key, {})[name] = stamp
        return found

    # Sessions of drivers, and the request to stop

    def session_numbers(self) -> list[int]:
        """Numbers of the drivers that worked on the sweep, from 1, oldest first."""
        names = self.files.entries(self.path("sessions"))
        return sorted(
            int(name.removesuffix(".json")) for name in names if name.removesuffix(".json").isdigit()
        )

    def session(self, number: int) -> SessionEntry | None:
        """What a driver says of itself; None when its file is torn or altered."""
        values = self.read_json(self._session_name(number))
        return None if values is None else SessionEntry.from_dict(values)

    def sessions(self) -> list[SessionEntry]:
        """What every driver that worked on the sweep says of itself, oldest first; torn files left out."""
        return [one for one in self.each(self.session, self.session_numbers()) if one is not None]

    def unread_sessions(self) -> list[str]:
        """Files of sessions that are torn or altered."""
        return [self._session_name(number) for number in self.session_numbers() if not self.session(number)]

    def create_session(self, number: int, session: SessionEntry) -> bool:
        """Enter a driver under a number; False when another one has it."""
        return self.create_json(self._session_name(number), session.to_dict())

    def write_session(self, number: int, session: SessionEntry) -> None:
        """Replace what the driver with this number says of itself."""
        self.write_json(self._session_name(number), session.to_dict())

    def delete_session(self, number: int) -> None:
        """Take a driver's entry back, when it may not begin."""
        self.files.delete(self.path(self._session_name(number)))

    @staticmethod
    def _session_name(number: int) -> str:
        return f"sessions/{number:04d}.json"

    # What steps take alone, and what was said before

    def probes(self) -> tuple[ShapeProbe, ...]:
        """What was probed; nothing where that is torn or altered: it can be probed again."""
        values = self.read_json(PROBE)
        return () if values is None else Probes.from_dict(values).probes

    def add_probes(self, probes: Iterable[ShapeProbe]) -> None:
        """Keep what was probed, in the place of older probes of the same shape and kind of machine."""
        self.write_json(PROBE, Probes(probes=merged(self.probes(), probes)).to_dict())

    def forecasts(self) -> dict[int, LaunchForecast]:
        """What each driver said that its trials would take, by its number; torn or altered ones left out."""
        names = self.files.entries(self.path("forecasts"))
        stems = (name.removesuffix(".json") for name in names)
        numbers = sorted(int(stem) for stem in stems if stem.isdigit())
        read = self.each(lambda number: self.read_json(_forecast_name(number)), numbers)
        return {
            number: LaunchForecast.from_dict(values)
            for number, values in zip(numbers, read, strict=True)
            if values is not None
        }

    def write_forecast(self, session: int, forecast: LaunchForecast) -> None:
        """Keep what the driver with this number says before its first trial."""
        self.write_json(_forecast_name(session), forecast.to_dict())

    def request_stop(self, reason: str) -> None:
        """Ask every driver and trial of the sweep to stop; they look every ``files.poll_seconds``."""
        self.write_json("stop.json", {"reason": reason, "time": time.time()})

    def stop_requested(self) -> str | None:
        """Why the sweep shall stop, or None."""
        request = self.read_json("stop.json")
        if request is not None and "reason" in request:
            return str(request["reason"])
        return "a request that is torn" if self.files.stamp(self.path("stop.json")) is not None else None

    def clear_stop(self) -> None:
        """Forget the request to stop."""
        self.files.delete(self.path("stop.json"))


def _forecast_name(session: int) -> str:
    return f"forecasts/{session:04d}.json"
