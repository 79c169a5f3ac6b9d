"""What a notebook shows of values that need no kernel."""

import re
from html import unescape
from pathlib import Path

import pytest
from rich.text import Text

from support.factory import Factory
from support.workplace import SPEC
from sweeps.errors import Interrupted
from sweeps.plan.plan import draw_plan
from sweeps.results.report import StoredReport
from sweeps.screen.here import in_notebook, nowhere
from sweeps.screen.notebook import html_of
from sweeps.spec.spec import load_spec
from sweeps.sweep import Sweep
from tracking.analysis.winner import best
from tracking.errors import RecordError
from tracking.files.folder import Folder
from tracking.storage.manifest import Decided
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore


@pytest.fixture
def make() -> Factory:
    return Factory()


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    (tmp_path / "spec.yaml").write_text(SPEC)
    spec = load_spec(tmp_path / "spec.yaml")
    storage = SweepStorage(Folder(tmp_path / "storage"), spec.name)
    storage.create(Decided.of(spec.to_dict(), draw_plan(spec), {"packages": {}}, ()))
    return Sweep(storage, lambda: RunStore(f"sqlite:///{tmp_path}/mlflow.db"), nowhere)


def test_a_reports_page_stands_whole_in_a_frame_of_its_own() -> None:
    page = '<!doctype html><p class="a">K > 1 & \'so on\'</p><script>let a = "</iframe>"</script>'
    shown = StoredReport("s3://bucket/small/report", page, None)._repr_html_()
    assert unescape(re.findall('srcdoc="([^"]*)"', shown)[0]) == page
    assert shown.count("<iframe") == shown.count("</iframe>") == 1
    assert "s3://bucket/small/report/index.html" in shown


def test_what_a_person_sees_of_a_value_at_a_prompt_is_short(make: Factory) -> None:
    """Not the page's five megabytes, nor every epoch of a trial."""
    trial = make.trial({"objective.num_samples": 5})
    choice = best(make.sweep(make.ks(1, 5)))
    assert choice is not None
    assert repr(trial.plan) == f"PlannedTrial({trial.plan.name!r})"
    assert "EpochRecord" not in repr(trial)
    assert "page of megabytes" not in repr(StoredReport("/a", "page of megabytes", None))
    for value in (trial, choice):
        assert len(repr(value)) < 3000


def test_a_report_that_mlflow_lacks_says_why() -> None:
    assert "the server &lt;gone&gt;" in StoredReport("/a", "", "the server <gone>")._repr_html_()


def test_a_sweep_shows_its_states_and_where_its_report_is(sweep: Sweep) -> None:
    shown = sweep._repr_html_()
    assert "small: not running; 4 WAITING" in shown
    assert f'href="file://{sweep.storage.uri}/report/index.html"' in shown


def test_what_a_terminal_colours_is_coloured_and_markup_is_not_obeyed() -> None:
    shown = html_of(Text("K=5 <b> [red]", "bold red"))
    assert "K=5 &lt;b&gt; [red]" in shown
    assert re.search("color: #[0-9a-f]{6}", shown)


def test_a_program_that_is_no_notebook_is_told_apart() -> None:
    assert not in_notebook()


def test_what_is_not_complete_has_no_best_run_and_no_weights(sweep: Sweep) -> None:
    with pytest.raises(ValueError, match="small has no complete trial yet: see `sweeps status small`"):
        sweep.best()
    with pytest.raises(RecordError, match="K=1 D=2 s0 of small has no weights: it is WAITING"):
        sweep.load("K=1 D=2 s0")


def test_what_may_not_change_is_refused_before_anything_starts(sweep: Sweep) -> None:
    with pytest.raises(ValueError, match=r"base\.num_epochs: cannot change on resume"):
        sweep.resume({"base.num_epochs": 7})
    with pytest.raises(ValueError, match="must name what is added"):
        sweep.extend({})
    with pytest.raises(ValueError, match="would lose or change trial 2"):
        sweep.extend({"search.seeds": (0, 5)})
    assert sweep.storage.sessions() == []


def test_an_interrupt_is_pythons_own_and_knows_its_sweep(sweep: Sweep) -> None:
    stopped = Interrupted(sweep)
    assert isinstance(stopped, KeyboardInterrupt)
    assert stopped.sweep is sweep
