import subprocess
import sys

import pytest

SAID = "import sys, {module}; print(*sorted({{'matplotlib', 'plotly'}} & sys.modules.keys()))"


@pytest.mark.parametrize("module", ["tracking.report.report", "tracking.publish", "sweeps.runner"])
def test_what_draws_is_imported_only_where_a_report_is_drawn(module: str) -> None:
    found = subprocess.run(
        [sys.executable, "-c", SAID.format(module=module)], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == []
