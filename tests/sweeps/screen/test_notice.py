"""What the command to notify hears, and that nothing hangs on it."""

import json
import logging
from pathlib import Path

import pytest

from iwae.errors import ConfigError, SweepError
from support.hand_made import Sweep as HandMade
from sweeps.result import SweepResult
from sweeps.screen import notice
from sweeps.screen.notice import notified, tell
from sweeps.spec.spec import load_spec
from sweeps.sweep import Sweep
from tracking.store import RunStore


@pytest.fixture(name="sweep")
def _sweep(tmp_path: Path) -> Sweep:
    made = HandMade(tmp_path)
    made.finish()
    return Sweep(made.storage, lambda: RunStore(f"sqlite:///{tmp_path}/mlflow.db"))


def ended(sweep: Sweep, outcome: str, untold: str | None = None) -> SweepResult:
    return SweepResult(sweep.record(), outcome, 12.5, "parent", None, None, untold)


@pytest.mark.parametrize(
    ("outcome", "untold", "code"),
    [("finished", None, 0), ("budget", None, 0), ("interrupted", None, 130), ("finished", "it is away", 1)],
)
def test_it_hears_how_the_sweep_ended(
    outcome: str, untold: str | None, code: int, sweep: Sweep, tmp_path: Path
) -> None:
    with notified(sweep, f"cat > {tmp_path}/told.json"):
        sweep.result = ended(sweep, outcome, untold)
    told = json.loads((tmp_path / "told.json").read_text())
    assert (told["name"], told["trials"], told["seconds"]) == ("tiny", {"COMPLETE": 3}, 12.5)
    assert (told["outcome"], told["error"], told["exit_code"]) == (outcome, untold, code)


def test_it_hears_of_a_failure_which_stays_one(sweep: Sweep, tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="Ray went away"), notified(sweep, f"cat > {tmp_path}/told.json"):
        raise SweepError("Ray went away")
    told = json.loads((tmp_path / "told.json").read_text())
    assert (told["outcome"], told["error"], told["exit_code"]) == ("failed", "Ray went away", 1)
    assert told["trials"] == {"COMPLETE": 3}


def test_it_hears_nothing_where_nothing_was_started(sweep: Sweep, tmp_path: Path) -> None:
    with pytest.raises(ConfigError), notified(sweep, f"touch {tmp_path}/told"):
        raise ConfigError("name", "taken")
    assert not (tmp_path / "told").exists()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("exit 3", "notify: exit 3 ended with exit code 3"),
        ("/no/such/command", "notify: /no/such/command ended with exit code 127"),
        ("exec <&-; exit 0", None),
        ("sleep 600", "notify: sleep 600 ran for 0.2 s and was ended"),
    ],
)
def test_what_goes_wrong_is_one_line(
    command: str, said: str | None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notice, "SECONDS", 0.2 if "sleep" in command else 300.0)
    with caplog.at_level(logging.WARNING):
        tell(command, {"name": "x" * 1_000_000 if "exec" in command else "x"})
    assert caplog.messages == ([] if said is None else [said])


def test_a_name_cannot_reach_the_shell(tmp_path: Path) -> None:
    tell(f"cat > {tmp_path}/told.json", {"name": f"$(touch {tmp_path}/harm); `touch {tmp_path}/harm`"})
    assert [path.name for path in tmp_path.iterdir()] == ["told.json"]


def test_the_spec_holds_the_command() -> None:
    assert load_spec("quickstart").notify is None
    assert load_spec("quickstart", {"notify": "mail -s 'it: ended' me"}).notify == "mail -s 'it: ended' me"
    with pytest.raises(ConfigError, match="notify: '' is not allowed"):
        load_spec("quickstart", {"notify": ""})
