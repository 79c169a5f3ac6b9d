"""Storage is the truth: one folder for each sweep, written so that a crash leaves the old or the new.

    <storage>/<sweep>/
        sync.lock  sync.json                  who writes its runs in MLflow, and who did last
        sweep.zip                             spec, plan, code, data and the sweep's id: what was decided
        spec.yaml  plan.jsonl  code.json      the same, for people; data.json and instance.json beside them
        sessions/0001.json                    one file a driver that worked on the sweep
        codes/0002.json                       the code of a later driver, where it is another one
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

from tracking.files.files import Stamp
from tracking.files.places import open_storage as open_storage
from tracking.records.records import SweepRecord
from tracking.storage.sweep_files import SweepFiles
from tracking.storage.sweep_files import sweeps_in as sweeps_in
from tracking.storage.trial import TrialStorage


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
        return SweepRecord(
            self.name,
            self.files.uri,
            decided.spec(),
            decided.code(),
            tuple(self.sessions()),
            tuple(trials),
            decided.data(),
            decided.head,
            decided.earlier,
        )

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
