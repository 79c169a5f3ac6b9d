"""Everything under "What bad input gets", from the command line: exit code 2, one line, nothing started."""

# ruff: noqa: E501  (a case stands on a line)

import pickle
import sys
from pathlib import Path

import pytest

from iwae.errors import ConfigErrors
from sweeps.cli.entry import main
from sweeps.spec.spec import load_spec

GOOD = {
    "name": "name: bad",
    "base": "base: {data: {name: digits}, num_epochs: 5}",
    "space": "search: {space: {objective.num_samples: {grid: [1, 5]}}, seeds: [0]}",
}


def spec_of(tmp_path: Path, **changed: str) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text("\n".join({**GOOD, **changed}.values()))
    return path


def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: object) -> str:
    """The one error line of a command that must be refused."""
    monkeypatch.setattr(sys, "argv", ["sweeps", *map(str, words)])
    with pytest.raises(SystemExit) as exit_:
        main()
    shown = capsys.readouterr()
    assert exit_.value.code == 2
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1
    return shown.err


CASES = {
    "unknown key": (
        {"base": "base: {data: {name: digits}, modle: {}}"},
        "base.modle: unknown key: did you mean model?",
    ),
    "unknown key of the spec": (
        {"x": "schedular: {name: none}"},
        "schedular: unknown key: did you mean scheduler?",
    ),
    "wrong type": (
        {"base": "base: {batch_size: many}"},
        "base.batch_size: 'many' is not allowed: must be a whole",
    ),
    "true is no number": ({"base": "base: {num_epochs: true}"}, "base.num_epochs: true is not allowed"),
    "leading zero": (
        {"base": "base: {num_epochs: 010}"},
        "line 2: 010 is not allowed: must be 10, or '010' where",
    ),
    "no sixties": (
        {"base": "base: {num_epochs: 1:30}"},
        "base.num_epochs: '1:30' is not allowed: must be a whole",
    ),
    "no such day": (
        {"base": "base: {num_epochs: 2026-02-30}"},
        "base.num_epochs: '2026-02-30' is not allowed",
    ),
    "tag that fits nothing": (
        {"base": "base: {num_epochs: !!int x}"},
        "line 2: x is not allowed: must be a whole",
    ),
    "5,000 digits": (
        {"base": f"base: {{num_epochs: {'9' * 5000}}}"},
        "must be a whole number of at most 4300 digits",
    ),
    "4,000 digits": ({"base": f"base: {{num_epochs: {'9' * 4000}}}"}, "base.num_epochs: 99"),
    "nesting": ({"base": "base: " + "[" * 1000}, "nested 51 deep is not allowed: must be <= 50"),
    "wider than memory": ({"base": f"base: {{model: {{latent_dim: 1{'0' * 29}}}}}"}, "must be <= 100000"),
    "out of range": (
        {"base": "base: {optimizer: {lr: 0}}"},
        "base.optimizer.lr: 0 is not allowed: must be > 0",
    ),
    "nan": (
        {"base": "base: {optimizer: {lr: .nan}}"},
        "base.optimizer.lr: nan is not allowed: must be a finite",
    ),
    "value of the space": (
        {"space": "search: {space: {objective.num_samples: {grid: [1, 5, 0]}}}"},
        "search.space.objective.num_samples.grid[2]: 0 is not allowed: must be >= 1",
    ),
    "empty grid": (
        {"space": "search: {space: {objective.num_samples: {grid: []}}}"},
        "objective.num_samples.grid",
    ),
    "duplicate values": (
        {"space": "search: {space: {objective.num_samples: {grid: [5, 1, 5]}}}"},
        "search.space.objective.num_samples.grid[2]: 5 is not allowed",
    ),
    "path that does not exist": (
        {"space": "search: {space: {objective.num_sample: {grid: [1]}}}"},
        "search.space.objective.num_sample: unknown path: did you mean objective.num_samples?",
    ),
    "K > 1 with free bits": (
        {
            "base": "base: {objective: {name: vae, num_samples: 5, free_bits: 0.5}}",
            "space": "search: {space: {}}",
        },
        "base.objective.free_bits: 0.5 is not allowed: must be 0 when num_samples > 1",
    ),
    "Gaussian likelihood on binary data": (
        {"base": "base: {data: {name: digits}, model: {likelihood: gaussian}}"},
        "base.model.likelihood: gaussian is not allowed",
    ),
    "gray pixels into a Bernoulli likelihood": (
        {"base": "base: {data: {name: digits, binarization: none}}"},
        "base.data.binarization: none is not allowed",
    ),
    "training bound as the metric": (
        {"space": "search: {metric: train/bound, space: {objective.num_samples: {grid: [1, 5]}}}"},
        "search.metric: train/bound is not allowed",
    ),
    "more CPUs than there are": (
        {"x": "resources: {cpus: 4096}"},
        "resources.cpus: 4096 is not allowed: must be <=",
    ),
    "more GPUs than there are": (
        {"x": "resources: {gpus: 512}"},
        "resources.gpus: 512 is not allowed: must be <=",
    ),
    "tag that runs code": (
        {"base": "base: !!python/object/apply:os.system [id]"},
        "the tag tag:yaml.org,2002:python",
    ),
    "not YAML": ({"base": "base: {"}, "not valid YAML"),
    "key that stands twice": ({"x": "name: again"}, "the key 'name' stands twice"),
    "early stopping with cyclical annealing": (
        {
            "base": "base: {data: {name: digits}, num_epochs: 9, annealing: {name: cyclical}}",
            "x": "scheduler: {name: asha}",
        },
        "scheduler.name: asha is not allowed",
    ),
    "cmaes without a number to move": (
        {
            "space": "search: {space: {objective.num_samples: {choice: [1, 5]}}, num_trials: 3, sampler: {name: cmaes}}"
        },
        "search.sampler.name: cmaes is not allowed",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_spec_is_one_line_and_starts_nothing(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed, line = CASES[case]
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shown = refused(capsys, monkeypatch, "run", spec_of(tmp_path, **changed), "--json")
    assert line in shown
    assert {path.name for path in tmp_path.iterdir()} <= {"spec.yaml", "mlflow.db", "mlartifacts"}


def test_all_mistakes_are_told_at_once_a_line_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the file, in its space although the base is wrong too, and on the command line."""
    path = spec_of(
        tmp_path,
        base="base: {data: {name: digits}, modle: {}, batch_size: 0, num_epochs: many}",
        space="search: {space: {objective.num_samples: {grid: [1, 0]}, annealing.x: {grid: [1]}}, seeds: [-1]}",
        x="budget: {wall_clock: soon}",
        y="schedular: {name: none}",
    )
    words = ["--set", "num_trials", "--set", "checkpoint_every=0"]
    monkeypatch.setattr(sys, "argv", ["sweeps", "plan", str(path), *words])
    with pytest.raises(SystemExit) as exit_:
        main()
    shown = capsys.readouterr()
    assert (exit_.value.code, shown.out) == (2, "")
    assert [line.split(" is not allowed")[0].split(": unknown")[0] for line in shown.err.splitlines()] == [
        "error: num_trials",
        "error: base.batch_size: 0",
        "error: base.num_epochs: 'many'",
        "error: base.modle",
        "error: search.seeds[0]: -1",
        "error: search.space.objective.num_samples.grid[1]: 0",
        "error: search.space.annealing.x",
        "error: budget.wall_clock: 'soon'",
        "error: checkpoint_every: 0",
        "error: schedular",
    ]


def test_mistakes_across_sections_are_told_together(tmp_path: Path) -> None:
    path = spec_of(tmp_path, name="name: a/b", x="budget: {gpu_hours: 1}", base="base: {seed: 3}")
    with pytest.raises(ConfigErrors) as refused:
        load_spec(path)
    assert [error.path for error in refused.value.errors] == ["name", "base.seed", "budget.gpu_hours"]
    assert str(refused.value).count("\n") == 2
    assert [str(one) for one in pickle.loads(pickle.dumps(refused.value)).errors] == [
        str(one) for one in refused.value.errors
    ]


def test_a_spec_that_is_no_file_names_the_ready_ones(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "quickstart" in refused(capsys, monkeypatch, "run", "quickstat")


@pytest.mark.parametrize("path", [".", "/dev/null"])
def test_a_spec_that_is_there_and_no_file_is_not_said_to_be_missing(
    path: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"{path} is not allowed: must be a file" in refused(capsys, monkeypatch, "run", path)


def test_an_unreachable_tracking_server_is_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, monkeypatch, "run", spec_of(tmp_path), "--tracking-uri", "http://127.0.0.1:9")
    assert "http://127.0.0.1:9" in line


def test_credentials_on_a_command_line_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for uri, fix in (
        ("http://user:s3cret@127.0.0.1:5000", "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"),
        ("postgresql://user:s3cret@127.0.0.1/db", "set MLFLOW_TRACKING_URI"),
    ):
        line = refused(capsys, monkeypatch, "run", spec_of(tmp_path), "--tracking-uri", uri)
        assert fix in line
        assert "s3cret" not in line


def test_missing_data_name_the_folder_in_which_they_are_looked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "missing.npz"
    path = spec_of(tmp_path, base=f"base: {{data: {{name: npz, path: '{file}'}}}}")
    assert str(file) in refused(capsys, monkeypatch, "run", path)


def test_a_sweep_that_is_not_there_names_those_that_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in ("status", "resume", "stop", "verify", "report", "best"):
        assert "no sweep nothing in" in refused(capsys, monkeypatch, command, "nothing")
