import json
import subprocess
import sys
from pathlib import Path

from iwae.config import yaml
from sweeps.machines.package import pack, pack_sweep
from tracking.provenance import provenance
from tracking.provenance.sources import PACKAGES

REPOSITORY = Path(__file__).resolve().parents[3]


def test_the_packages_travel_whole_and_nothing_else_does(tmp_path: Path) -> None:
    pack(tmp_path)
    files = (path for package in PACKAGES for path in (REPOSITORY / package).rglob("*") if path.is_file())
    there = {str(path.relative_to(REPOSITORY)) for path in files if "__pycache__" not in path.parts}
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == there


def test_the_same_code_packs_to_the_same_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        pack(tmp_path / name)
    for path in (tmp_path / "a").rglob("*.py"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_code_that_travelled_says_where_it_comes_from(tmp_path: Path) -> None:
    pack(tmp_path)
    pack_sweep(tmp_path, {"name": "x"})
    assert yaml.load((tmp_path / "spec.yaml").read_text()) == {"name": "x"}
    code = "import json, tracking.provenance.provenance as p; print(json.dumps([p.__file__, p.code()]))"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    file, said = json.loads(shown.stdout)
    assert Path(file).is_relative_to(tmp_path)
    here = provenance.origin()  # without a commit where this is a copy that has no history
    assert {name: said[name] for name in here} == here
    assert said["packages"] == provenance.code()["packages"]
