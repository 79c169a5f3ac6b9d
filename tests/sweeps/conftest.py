import signal
from collections.abc import Iterator
from typing import Any

import pytest

from support.workplace import Workplace
from sweeps.process.signals import ENDING


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workplace, dict[str, Any]]:
    """A sweep that ran to its end, and what `run --json` said."""
    place = Workplace(tmp_path_factory.mktemp("finished"))
    return place, place.json("run", place.spec)


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """A command that ran in this process ignores signals at its end, and so would what is started later."""
    before = {number: signal.getsignal(number) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
