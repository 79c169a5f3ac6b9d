"""A sweep whose storage is a bucket: an S3 server on loopback, real Ray, real MLflow."""

import signal
import time
from pathlib import Path

import pytest

from support.servers.bucket_server import BUCKET, CREDENTIALS, bucket_server
from support.workplace import Workplace
from tracking.files.bucket import Bucket
from tracking.storage.sweep import SweepStorage

pytestmark = pytest.mark.service


def test_a_sweep_in_a_bucket_is_stopped_resumed_verified_and_reproduced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Workplace(tmp_path)
    with bucket_server() as endpoint:
        for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": endpoint}.items():
            monkeypatch.setenv(name, value)
        where = ("--storage", f"s3://{BUCKET}/sweeps")
        process = place.start("run", place.spec, "--set", "base.num_epochs=60", *where)
        storage = SweepStorage(Bucket(where[1]), "small")
        deadline = time.monotonic() + 900
        while not any("checkpoint-" in name for name in storage.files.entries("small/trials")):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=900)
        assert process.returncode == 130, err
        result = place.json("resume", "small", *where)
        assert result["trials"] == {"COMPLETE": 4}
        assert result["storage"] == where[1]
        assert place.json("verify", "small", *where) == {"ok": True, "faults": []}
        assert place.json("status", "small", *where)["trials"] == {"COMPLETE": 4}
        assert place.json("reproduce", "--best", "small", *where)["verdict"] == "BITWISE"
        assert {"index.html", "tradeoff.csv"} <= set(storage.files.entries("small/report"))
        assert "small" in place.sweeps("list", *where).stdout
        place.sweeps("delete", "small", "--yes", *where)
        assert storage.files.entries("small") == {}
