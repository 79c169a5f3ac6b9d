"""Early stopping, trial by trial: to Tune the trials of a pack are one."""

from typing import Any, NamedTuple, Protocol

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from tracking.records.records import PlannedTrial


class Member(NamedTuple):
    """A trial of a pack, as Tune's schedulers ask for it."""

    trial_id: str


class Prunes(Protocol):
    """Hears which trial of a pack a scheduler ends."""

    def prune(self, trial_id: str, key: str) -> None:
        """End the trial with this key in the pack with Tune's id ``trial_id``."""
        ...


class PackScheduler(FIFOScheduler):
    """A Tune scheduler whose trials are those in the packs that Tune takes for its trials.

    Args:
        scheduler: decides for each trial.
        searcher: hears which trials it ends.
    """

    def __init__(self, scheduler: TrialScheduler, searcher: Prunes) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._scheduler: Any = scheduler
        self._searcher = searcher
        self._live: dict[str, dict[str, Member]] = {}

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Pass on what Tune's configuration says."""
        return bool(self._scheduler.set_search_properties(metric, mode, **spec))

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Add the trials of a pack."""
        keys = [PlannedTrial.from_json(planned).key for planned in trial.config["planned"]]
        self._live[trial.trial_id] = {key: Member(key) for key in keys}
        for member in self._live[trial.trial_id].values():
            self._scheduler.on_trial_add(tune_controller, member)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Let the scheduler judge each trial of the pack; the pack ends with its last one."""
        live = self._live[trial.trial_id]
        for told in result["trials"]:
            if (member := live.get(told["key"])) is None:
                continue
            if told["over"]:
                self._scheduler.on_trial_complete(tune_controller, live.pop(member.trial_id), told)
            elif self._scheduler.on_trial_result(tune_controller, member, told) == TrialScheduler.STOP:
                self._scheduler.on_trial_complete(tune_controller, live.pop(member.trial_id), told)
                self._searcher.prune(trial.trial_id, member.trial_id)
        return TrialScheduler.CONTINUE if live else TrialScheduler.STOP

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """The pack has ended."""
        for told in result["trials"]:
            if (member := self._live[trial.trial_id].pop(told["key"], None)) is not None:
                self._scheduler.on_trial_complete(tune_controller, member, told)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """The pack's worker died too often."""
        self.on_trial_remove(tune_controller, trial)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """The pack is no more."""
        for member in self._live.pop(trial.trial_id, {}).values():
            self._scheduler.on_trial_remove(tune_controller, member)
