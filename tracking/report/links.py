"""Where a sweep's runs are in MLflow, so that the report can link to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Links:
    """Pages of the MLflow UI.

    Attributes:
        store: the tracking store's address, without secrets.
        sweep: the page of the sweep's own run.
        runs: the pages of its trials, by trial key.
        needs: the command that must be running for the pages to open; empty for a server.
    """

    store: str
    sweep: str
    runs: Mapping[str, str] = field(repr=False)
    needs: str = ""
