"""After the trials the steps of their shapes are measured alone, once a shape and kind of machine."""

from pathlib import Path

import pytest

from support.workplace import Workplace
from sweeps.execution import probing
from sweeps.execution.display import NoDisplay
from sweeps.execution.probing import probe_alone
from sweeps.machines.local_ray import ray_cluster
from sweeps.plan.probes import kept
from sweeps.spec.spec import SweepSpec
from tracking.records.exclusive import machine_kind, shape_of
from tracking.storage.sessions import Session

pytestmark = pytest.mark.service


def test_every_shape_of_a_finished_sweep_is_measured_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Workplace(tmp_path)
    place.sweeps("run", place.spec, "--set", "search.seeds=[0]")
    storage = place.storage()
    storage.files.delete(storage.path("probe.json"))  # of a machine so slow that the sweep trained for long
    spec = SweepSpec.parse(storage.spec())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(probing, "LEAST_TRAINED", 0.0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with ray_cluster(spec, None, NoDisplay()), Session(storage, "test") as session:
        session.request_stop("test")
        probe_alone(spec, session, storage.record(), NoDisplay())
        assert storage.record().probes == ()
        storage.clear_stop()
        probe_alone(spec, session, storage.record(), NoDisplay())
        found = storage.record()
        probe_alone(spec, session, found, NoDisplay())
        assert storage.record().probes == found.probes
    assert {one.shape for one in found.probes} == {shape_of(trial.config) for trial in found.complete}
    assert {one.machine for one in found.probes} == {machine_kind(t.provenance) for t in found.complete}
    assert all(one.steps_per_epoch == 4 and one.step_seconds < 1 for one in found.probes)
    configs = [trial.config for trial in found.complete]
    assert kept(configs, spec.resources) == {one.shape: one for one in found.probes}
    place.sweeps("report", "small")  # MLflow learns the seconds alone
    assert place.json("verify", "small")["ok"]
