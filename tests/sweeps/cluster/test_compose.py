"""What can be said of docker-compose.yml without starting anything; test_services.py starts it."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.compose import compose_file
from support.compose.compose_file import SECRETS, MissingVariableError, interpolate, variables_in
from support.compose.services import postgres_programs, random_secrets

ROOT = compose_file.PATH.parent
TEXT = compose_file.PATH.read_text()
DOCUMENT = compose_file.load()
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
OURS = [name for name in SERVICES if name != "postgres"]
each_service = pytest.mark.parametrize("name", SERVICES)


def follows_the_schema(path: Path) -> bool:
    words = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run([sys.executable, *words], capture_output=True, check=False).returncode == 0


def test_the_file_follows_the_compose_schema(tmp_path: Path) -> None:
    assert follows_the_schema(compose_file.PATH)
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(TEXT.replace("healthcheck:", "healthchek:", 1))
    assert not follows_the_schema(wrong)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize(
    "change", [lambda v, n: v.pop(n), lambda v, n: v.update({n: ""})], ids=["missing", "empty"]
)
def test_nothing_starts_without_a_secret(name: str, change: Any) -> None:
    variables = random_secrets()
    assert interpolate(DOCUMENT, variables)
    change(variables, name)
    with pytest.raises(MissingVariableError, match=f"{name}: .*openssl rand"):
        interpolate(DOCUMENT, variables)


def test_secrets_have_no_default_and_everything_else_has_one() -> None:
    for name, rule, rest in variables_in(DOCUMENT):
        assert rule == (":?" if name in SECRETS else ":-"), name
        assert rest, name
    assert {name for name, _, _ in variables_in(DOCUMENT)} >= set(SECRETS)


def test_a_variable_that_compose_does_not_know_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"\$\(date"):
        interpolate("$(date)", {})
    assert interpolate("$$HOME ${A:-b} ${C:-}", {"A": ""}) == "$HOME b "


@each_service
def test_secrets_are_in_the_environment_alone(name: str) -> None:
    rest = {key: value for key, value in SERVICES[name].items() if key != "environment"}
    assert not {variable for variable, _, _ in variables_in(rest)} & set(SECRETS)
    assert not {variable for variable, _, _ in variables_in(DOCUMENT["configs"])}


def test_trials_are_not_given_the_passwords_of_the_tracking_server() -> None:
    for name in ("ray-worker", "ray-worker-gpu"):
        assert {variable for variable, _, _ in variables_in(SERVICES[name]["environment"])} & set(
            SECRETS
        ) == {"RAY_AUTH_TOKEN"}


@each_service
def test_ports_are_published_on_loopback(name: str) -> None:
    for port in interpolate(SERVICES[name], random_secrets()).get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)
    for port in interpolate(SERVICES[name], {**random_secrets(), "BIND_ADDRESS": "10.0.0.1"}).get(
        "ports", []
    ):
        assert port.startswith("10.0.0.1:")


@each_service
def test_every_service_is_checked_restarted_and_limited(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"].keys() >= {"test", "interval", "timeout", "retries", "start_period"}
    assert service["restart"] == "unless-stopped"
    assert service.keys() >= {"mem_limit", "stop_grace_period", "networks"}
    assert "shm_size" in service or not name.startswith("ray")


@each_service
def test_what_a_service_refers_to_is_there(name: str) -> None:
    service = SERVICES[name]
    for other, condition in service.get("depends_on", {}).items():
        assert condition == {"condition": "service_healthy"}
        assert set(service["networks"]) & set(SERVICES[other]["networks"])
        assert "profiles" not in SERVICES[other]
    assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= DOCUMENT["volumes"].keys()
    assert {config["source"] for config in service.get("configs", [])} <= DOCUMENT["configs"].keys()
    assert set(service["networks"]) <= DOCUMENT["networks"].keys()
    hosts = re.findall(
        r"(?:@|//|address=)([a-z][\w-]*):\d+", str([service.get("environment"), service["command"]])
    )
    assert set(hosts) <= SERVICES.keys()
    assert hosts or name == "postgres"


def test_nothing_is_declared_and_not_used() -> None:
    for kind in ("volumes", "networks"):
        used = {item.split(":")[0] for service in SERVICES.values() for item in service.get(kind, [])}
        assert used == DOCUMENT[kind].keys()
    anchors = re.findall(r"(?<=: )&([\w-]+)", TEXT)
    assert anchors
    for anchor in anchors:
        assert re.search(rf"\*{anchor}\b(?!-)", TEXT), anchor
    with pytest.raises(yaml.YAMLError, match="undefined alias"):
        yaml.safe_load(TEXT.replace("x-s3: &s3", "x-s3:"))


def test_head_and_workers_share_the_storage_and_the_data() -> None:
    for name in ("ray-head", "ray-worker", "ray-worker-gpu"):
        service = interpolate(SERVICES[name], random_secrets())
        targets = dict(reversed(volume.split(":")) for volume in service["volumes"])
        environment = compose_file.environment(service, {})
        assert targets[environment["SWEEPS_STORAGE"]] == "sweeps"
        assert targets[environment["IWAE_DATA_DIR"]] == "data"


def test_object_storage_is_chosen_by_variables() -> None:
    values = {
        "SWEEPS_STORAGE": "s3://bucket/sweeps",
        "AWS_ENDPOINT_URL": "http://s3:9000",
        "AWS_ACCESS_KEY_ID": "x",
    }
    for name in ("ray-head", "ray-worker", "ray-worker-gpu"):
        service = interpolate(SERVICES[name], {**random_secrets(), **values})
        environment = compose_file.environment(service, values)
        assert environment.items() >= values.items()
        assert "AWS_SESSION_TOKEN" not in environment


def test_gpus_are_reserved_under_the_gpu_profile_alone() -> None:
    assert [name for name in SERVICES if "profiles" in SERVICES[name]] == ["ray-worker-gpu"]
    service = interpolate(SERVICES["ray-worker-gpu"], {**random_secrets(), "GPUS": "2"})
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": "2", "capabilities": ["gpu"]}
    assert not any("--num-gpus" in word for word in service["command"])


@pytest.mark.parametrize("name", OURS)
def test_commands_are_of_programs_and_options_that_are_there(name: str) -> None:
    program, command, *options = SERVICES[name]["command"]
    found = Path(sys.executable).with_name(program)
    assert found.exists()
    told = subprocess.run([found, command, "--help"], capture_output=True, text=True, check=True).stdout
    for option in options:
        assert re.search(rf"{re.escape(option.partition('=')[0])}\b", told), option
    assert SERVICES[name]["healthcheck"]["test"][:2] == ["CMD", "python"]


def test_commands_of_postgres_are_there() -> None:
    if (programs := postgres_programs()) is None:
        pytest.skip("PostgreSQL is not installed")
    for words in (SERVICES["postgres"]["command"], SERVICES["postgres"]["healthcheck"]["test"][1:]):
        assert shutil.which(words[0], path=str(programs))


def test_one_image_is_built_and_runs_as_a_user_without_rights() -> None:
    # Builds of one name at once fail on a current engine; the others must not pull a stranger's.
    assert [name for name in SERVICES if "build" in SERVICES[name]] == ["mlflow"]
    assert {SERVICES[name]["image"] for name in OURS} == {"iwae-sweeps"}
    assert {SERVICES[name]["pull_policy"] for name in OURS if name != "mlflow"} == {"never"}
    assert all(_waits_for(name, "mlflow") for name in OURS if name != "mlflow")
    assert all(SERVICES[name]["cap_drop"] == ["ALL"] for name in OURS)
    lines = SERVICES["mlflow"]["build"]["dockerfile_inline"].splitlines()
    assert lines[-1] == "USER sweeps"
    # Folders that volumes are mounted on belong to the user; a new volume takes that over.
    owned = next(line for line in lines if "install -d -o sweeps" in line)
    for name in OURS:
        assert all(volume.split(":")[1] in owned for volume in SERVICES[name].get("volumes", []))


def _waits_for(name: str, other: str) -> bool:
    direct = SERVICES[name].get("depends_on", {})
    return other in direct or any(_waits_for(each, other) for each in direct)


def test_the_image_installs_the_packages_and_the_extra_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    recipe = SERVICES["mlflow"]["build"]["dockerfile_inline"]
    (folders, extra) = re.search(r"mkdir -p ([\w/ ]+) && pip install .*'\.\[(\w+)\]'", recipe).groups()  # type: ignore[union-attr]
    found = project["tool"]["setuptools"]["packages"]["find"]["include"]
    assert [f"{folder}*" for folder in folders.split()] == found
    assert extra in project["project"]["optional-dependencies"]


def test_secrets_stay_out_of_the_repository_and_the_image() -> None:
    assert ".env*" in (ROOT / ".gitignore").read_text().splitlines()
    # The addresses of remotes may hold a token.
    assert {".env*", ".git/config"} <= {*(ROOT / ".dockerignore").read_text().splitlines()}


def test_the_readmes_line_makes_the_secrets_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    line = next(line for line in (ROOT / "README.md").read_text().splitlines() if line.endswith("> .env)"))
    subprocess.run(["bash", "-c", f"umask 022; {line}"], cwd=tmp_path, check=True)
    file = tmp_path / ".env"
    assert file.stat().st_mode & 0o777 == 0o600
    variables = dict(entry.split("=") for entry in file.read_text().splitlines())
    assert variables.keys() == set(SECRETS)
    assert len({*variables.values()}) == len(SECRETS)
    # The passwords belong to what the volumes hold: a second time must not replace them.
    again = subprocess.run(["bash", "-c", line], cwd=tmp_path, check=False, capture_output=True)
    assert again.returncode != 0
    assert dict(entry.split("=") for entry in file.read_text().splitlines()) == variables
    assert all(len(value) >= 32 for value in variables.values())
    interpolate(DOCUMENT, variables)
