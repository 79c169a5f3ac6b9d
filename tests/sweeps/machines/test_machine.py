"""What a machine lets a process have: affinity and control groups of both kinds, and GPUs."""

import getpass
import os
import pwd
import tempfile
from pathlib import Path
from typing import Any

import pytest

from iwae.errors import ConfigError
from sweeps.machines import local_ray as cluster
from sweeps.machines import machine
from sweeps.machines.capacity import Node, unused_gpus
from sweeps.process import account
from sweeps.spec.resources import Resources
from sweeps.spec.spec import SweepSpec
from tracking.errors import RecordError


@pytest.fixture(name="groups")
def _groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of eight CPUs whose control groups are files of the test's own."""
    monkeypatch.setattr(machine, "_GROUPS", tmp_path / "self")
    monkeypatch.setattr(machine, "_MOUNTS", tmp_path / "groups")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    return tmp_path


def write(groups: Path, membership: str, **files: str) -> None:
    (groups / "self").write_text(membership)
    for name, content in files.items():
        path = groups / "groups" / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def test_without_limits_all_is_there(groups: Path) -> None:
    assert machine.cpus() == machine.Limit(8, "the CPUs of this machine")
    assert machine.memory().why.startswith("the memory of this machine, ")


def test_affinity_counts(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3})
    assert machine.cpus() == machine.Limit(1, "the CPUs that its affinity allows")


@pytest.mark.parametrize(("quota", "most"), [("150000 100000", 1), ("400000 100000", 4), ("50000 100000", 1)])
def test_the_quota_of_a_parent_group_counts_under_v2(groups: Path, quota: str, most: int) -> None:
    write(
        groups,
        "0::/user/job",
        user__job__cpu_DOT_max="max 100000",
        user__cpu_DOT_max=quota,
        user__memory_DOT_max=f"{3 * 2**30}",
        user__job__memory_DOT_max="max",
    )
    assert machine.cpus().most == most
    assert machine.memory() == machine.Limit(3 * 2**30, "the memory limit of its control group, 3 GiB")


def test_quota_and_memory_count_under_v1(groups: Path) -> None:
    write(
        groups,
        "4:memory:/job\n2:cpu,cpuacct:/job\n1:cpuset:/\n0::/",
        **{
            "cpu,cpuacct/job/cpu.cfs_quota_us": "200000",
            "cpu,cpuacct/job/cpu.cfs_period_us": "100000",
            "cpu,cpuacct/cpu.cfs_quota_us": "-1",
            "cpu,cpuacct/cpu.cfs_period_us": "100000",
            "memory/job/memory.limit_in_bytes": f"{2**31}",
            "memory/memory.limit_in_bytes": "9223372036854771712",
        },
    )
    assert machine.cpus() == machine.Limit(2, "the CPUs that its control group allows (2)")
    assert machine.memory() == machine.Limit(2**31, "the memory limit of its control group, 2 GiB")


def test_a_container_sees_its_own_group_at_the_top(groups: Path) -> None:
    """Its path is the host's, which the container does not see."""
    write(groups, "0::/docker/0c1e", cpu_DOT_max="100000 100000")
    assert machine.cpus().most == 1


def test_a_trial_that_asks_for_more_than_the_affinity_is_refused(
    groups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    search = {"space": {"objective.num_samples": {"grid": [1, 5]}}}
    spec = SweepSpec.parse({"name": "small", "search": search, "resources": {"cpus": 2}})
    said = r"^resources.cpus: 2 is not allowed: must be <= 1, the CPUs that its affinity allows$"
    with pytest.raises(ConfigError, match=said):
        cluster.check_resources(spec, None)


def test_a_local_sweep_takes_no_more_than_it_is_let_and_says_so(
    groups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cluster.local_cpus(Resources()) == (8, [])
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    assert cluster.local_cpus(Resources()) == (4, ["takes 4 of 8 CPUs: the CPUs that its affinity allows"])
    write(groups, "0::/", memory_DOT_max=f"{3 * 2**30}")
    number, said = cluster.local_cpus(Resources(cpus=1))
    assert number == 2  # 1.75 GiB for the driver and Ray, half a GiB for each worker
    assert said[1] == "runs at most 2 trials at once: the memory limit of its control group, 3 GiB"


@pytest.mark.parametrize(("visible", "number"), [(None, 2), ("", 0), ("-1", 0), ("1", 1), ("0,1", 2)])
def test_gpus_are_those_that_the_driver_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visible: str | None, number: int
) -> None:
    command = tmp_path / "nvidia-smi"
    command.write_text(
        "#!/bin/sh\necho 'GPU 0: NVIDIA H100 (UUID: a)'\necho 'GPU 1: NVIDIA H100 (UUID: b)'\n"
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert machine.gpus() == number


@pytest.mark.parametrize("long", ["TMPDIR", "RAY_TMPDIR"])
def test_a_temporary_folder_that_is_too_long_for_sockets(long: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray refuses sockets whose path has more than 107 bytes; what the user chose for Ray is refused."""
    for name in ("TMPDIR", "RAY_TMPDIR"):
        monkeypatch.setenv(name, "")
        del os.environ[name]
    cluster._shorten_socket_paths()
    assert "RAY_TMPDIR" not in os.environ
    monkeypatch.setenv(long, "/scratch/" + "long" * 30)
    if long == "TMPDIR":
        cluster._shorten_socket_paths()
        assert os.environ["RAY_TMPDIR"] == "/tmp"
        del os.environ["RAY_TMPDIR"]
        monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(
        RecordError, match=rf"^{long}: /scratch/\S+ is not allowed: must have at most 36 bytes"
    ):
        cluster._shorten_socket_paths()


def test_a_user_without_name_and_home_gets_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "")
        del os.environ[name]
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def unknown(number: int) -> Any:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    account.complete()
    assert getpass.getuser() == str(os.getuid())
    home = Path.home()
    assert home == tmp_path / f"sweeps-home-{os.getuid()}"
    assert home.stat().st_mode & 0o777 == 0o700
    home.chmod(0o777)  # another user might have made it
    del os.environ["HOME"]
    account.complete()
    assert Path.home() != home


def test_a_gpu_that_is_left_unused_is_said() -> None:
    nodes = [Node(8, 0), Node(8, 1)]
    (said,) = unused_gpus(Resources(gpus=0), nodes)
    assert said.startswith("leaves 1 GPU unused: --set resources.gpus=1 ")
    assert unused_gpus(Resources(gpus=1), nodes) == []
    assert unused_gpus(Resources(gpus=0), nodes[:1]) == []


def test_the_memory_of_the_smallest_gpu_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\necho 81559\necho 40960\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert machine.gpu_memory() == machine.Limit(40 * 2**30, "the memory of a GPU here, 40 GiB")
    command.write_text("#!/bin/sh\necho '[N/A]'\n")
    assert machine.gpu_memory() is None
