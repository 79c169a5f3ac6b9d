"""The recipes in .docs/recipes: manifests without a field that KubeRay does not know, and scripts."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[3]
RECIPES = ROOT / ".docs" / "recipes"


def closed(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": properties,
    }


TEXT, NUMBER, YES = {"type": "string"}, {"type": "integer", "minimum": 0}, {"type": "boolean"}
OPEN = {"type": "object"}
# Of KubeRay's CRDs (ray.io/v1), the fields that a sweep may need: what is written of them is what they allow.
CONTAINER = closed(
    ("name", "image"),
    name=TEXT,
    image=TEXT,
    env={"type": "array", "items": closed(("name",), name=TEXT, value=TEXT, valueFrom=OPEN)},
    envFrom={"type": "array", "items": OPEN},
    resources=closed((), requests=OPEN, limits=OPEN),
    volumeMounts={"type": "array", "items": closed(("name", "mountPath"), name=TEXT, mountPath=TEXT)},
)
POD = closed(
    ("containers",),
    containers={"type": "array", "minItems": 1, "items": CONTAINER},
    volumes={"type": "array", "items": OPEN},
    securityContext=closed((), runAsUser=NUMBER, runAsGroup=NUMBER, fsGroup=NUMBER),
)
# Ray's options are text, numbers too.
START = {"type": "object", "additionalProperties": TEXT}
HEAD = closed(("template",), rayStartParams=START, template=closed(("spec",), spec=POD))
WORKERS = closed(
    ("groupName", "minReplicas", "maxReplicas", "template"),
    groupName=TEXT,
    replicas=NUMBER,
    minReplicas=NUMBER,
    maxReplicas=NUMBER,
    rayStartParams=START,
    template=closed(("spec",), spec=POD),
)
CLUSTER = closed(
    ("headGroupSpec",),
    rayVersion=TEXT,
    authOptions=closed((), mode={"enum": ["disabled", "token"]}),
    headGroupSpec=HEAD,
    workerGroupSpecs={"type": "array", "items": WORKERS},
)
JOB = closed(
    (),
    entrypoint=TEXT,
    submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]},
    backoffLimit=NUMBER,
    shutdownAfterJobFinishes=YES,
    ttlSecondsAfterFinished=NUMBER,
    rayClusterSpec=CLUSTER,
)


def manifest(name: str) -> dict[str, Any]:
    claim, found = yaml.safe_load_all((RECIPES / name).read_text())
    assert claim["kind"] == "PersistentVolumeClaim"
    assert found["apiVersion"] == "ray.io/v1"
    return found  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("name", "kind", "schema"),
    [("raycluster.yaml", "RayCluster", CLUSTER), ("rayjob.yaml", "RayJob", JOB)],
)
def test_manifests_follow_the_schema(name: str, kind: str, schema: dict[str, Any]) -> None:
    found = manifest(name)
    assert found["kind"] == kind
    jsonschema.validate(found["spec"], schema)
    found["spec"]["shutdownAfterJobFinished"] = True  # a typo
    with pytest.raises(jsonschema.ValidationError, match="shutdownAfterJobFinished"):
        jsonschema.validate(found["spec"], schema)


def test_both_manifests_make_the_same_cluster_without_a_secret_in_it() -> None:
    cluster = manifest("raycluster.yaml")["spec"]
    assert manifest("rayjob.yaml")["spec"]["rayClusterSpec"] == cluster
    worker = cluster["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]
    assert worker["resources"]["requests"] == worker["resources"]["limits"]
    assert "envFrom" not in worker
    assert cluster["authOptions"] == {"mode": "token"}


@pytest.mark.parametrize("name", ["slurm.sh", "backup.sh", "restore.sh"])
def test_scripts_are_read_by_bash_and_stop_without_their_variables(name: str, tmp_path: Path) -> None:
    script = RECIPES / name
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [script, tmp_path / "x"], env=environment, capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode != 0
    assert not list(tmp_path.iterdir())


def test_a_backup_comes_back_and_an_altered_one_is_refused(tmp_path: Path) -> None:
    if shutil.which("sha256sum") is None:
        pytest.skip("there is no sha256sum")

    def run(script: str, home: Path, code: int = 0) -> str:
        names = {"SWEEPS_STORAGE": "storage", "ARTIFACTS": "artifacts", "SQLITE": "mlflow.db"}
        environment = {"PATH": os.environ["PATH"], **{name: str(home / path) for name, path in names.items()}}
        done = subprocess.run(
            [RECIPES / script, tmp_path / "backup"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    first, second = tmp_path / "first", tmp_path / "second"
    for folder in ("storage/small/trials", "artifacts/1"):
        (first / folder).mkdir(parents=True)
        (first / folder / "file").write_text(folder)
    with contextlib.closing(sqlite3.connect(first / "mlflow.db")) as database, database:
        database.execute("CREATE TABLE runs (id TEXT)")
        database.execute("INSERT INTO runs VALUES ('a')")
    run("backup.sh", first)
    second.mkdir()
    run("restore.sh", second)
    for path in ("storage/small/trials/file", "artifacts/1/file"):
        assert (second / path).read_text() == (first / path).read_text()
    with contextlib.closing(sqlite3.connect(second / "mlflow.db")) as database:
        assert database.execute("SELECT id FROM runs").fetchall() == [("a",)]
    assert "is not empty" in run("restore.sh", second, code=2)
    tar = tmp_path / "backup" / "storage.tar"
    tar.write_bytes(tar.read_bytes()[:-1] + b"x")
    assert "storage.tar" in run("restore.sh", tmp_path / "third", code=1)
    assert not (tmp_path / "third").exists()
