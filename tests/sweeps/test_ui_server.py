import urllib.request
from pathlib import Path

import psutil

from sweeps.ui import mlflow_server


def test_the_database_is_on_no_command_line_of_the_server(tmp_path: Path) -> None:
    """Its address may hold a password."""
    with mlflow_server(f"sqlite:///{tmp_path}/a-secret-name.db", 0) as address:
        server = psutil.Process().children(recursive=True)
        assert any("mlflow" in " ".join(process.cmdline()) for process in server)
        assert not any("a-secret-name" in " ".join(process.cmdline()) for process in server)
        with urllib.request.urlopen(f"{address}/api/2.0/mlflow/experiments/search?max_results=1", timeout=60):
            assert (tmp_path / "a-secret-name.db").exists()
