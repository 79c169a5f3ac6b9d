"""What is said to have changed between two trainings is what can change a bit."""

from typing import Any

from tracking.provenance.changed import changed, changed_files

THEN: dict[str, Any] = {
    "python": "3.11.9",
    "platform": "Linux-5.15-hosta",
    "cores": 64,
    "cpu": "A",
    "torch": "2.15.0",
    "numpy": "2.1.0",
    "device": "cpu",
    "threads": 1,
    "cpu_capability": "AVX512",
    "code_sha256": "0" * 64,
    "variables": {"OMP_NUM_THREADS": "1", "ATEN_CPU_CAPABILITY": "avx2"},
}


def code(**files: str) -> dict[str, Any]:
    paths = {name.replace("__", "/") + ".py": digest for name, digest in files.items()}
    packages = {"ray": "2.60.0", "torch": "2.15.0"}
    return {"commit": "c0ffee", "packages": packages, "sources": {"files": paths}}


RAN = code(iwae__noise="a", sweeps__runner="b")


def test_host_cores_ray_and_the_code_of_the_service_change_no_bit() -> None:
    now = {**THEN, "platform": "Linux-6.1-hostb", "cores": 2, "code_sha256": "1" * 64, "variables": {}}
    now["variables"] = {"ATEN_CPU_CAPABILITY": "avx2", "CUDA_VISIBLE_DEVICES": "3"}
    runs = {**code(iwae__noise="a", sweeps__runner="c", tracking__store="d"), "commit": "other"}
    runs["packages"] = {"ray": "3.0", "torch": "2.15.0"}
    assert changed(THEN, now, RAN, runs) == {}
    assert changed_files(RAN, runs) == []


def test_libraries_instructions_threads_and_devices_can() -> None:
    now = {**THEN, "torch": "2.16.0", "cpu": "B", "cpu_capability": "AVX2", "threads": 2, "device": "cuda"}
    now["variables"] = {}
    assert changed(THEN, now, RAN, RAN) == {
        "torch": ["2.15.0", "2.16.0"],
        "cpu": ["A", "B"],
        "cpu_capability": ["AVX512", "AVX2"],
        "threads": [1, 2],
        "device": ["cpu", "cuda"],
        "variables.ATEN_CPU_CAPABILITY": ["avx2", None],
    }


def test_the_trainers_code_can_and_its_files_are_named() -> None:
    runs = code(iwae__noise="z", iwae__new="y", sweeps__runner="b")
    assert list(changed(THEN, THEN, RAN, runs)) == ["code.iwae"]
    assert changed_files(RAN, runs) == ["iwae/new.py", "iwae/noise.py"]


def test_code_whose_files_are_lost_is_compared_by_its_hash() -> None:
    now = {**THEN, "code_sha256": "1" * 64}
    assert changed(THEN, now, {}, RAN) == {"code.sha256": ["0" * 64, "1" * 64]}
    assert changed(THEN, THEN, {}, RAN) == {}


def test_a_record_from_before_sources_were_noted_has_its_commit() -> None:
    then = {name: value for name, value in THEN.items() if name != "code_sha256"}
    assert changed(then, THEN, {"commit": "c0ffee"}, RAN) == {}
    assert changed(then, THEN, {"commit": "older"}, RAN) == {"code.commit": ["older", "c0ffee"]}
