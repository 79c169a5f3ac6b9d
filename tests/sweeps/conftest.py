from typing import Any

import pytest

from support.workplace import Workplace


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workplace, dict[str, Any]]:
    """A sweep that ran to its end, and what `run --json` said."""
    place = Workplace(tmp_path_factory.mktemp("finished"))
    return place, place.json("run", place.spec)
