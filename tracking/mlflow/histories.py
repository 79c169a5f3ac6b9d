"""Every value that was logged for a metric, of one run or of hundreds at once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlflow import MlflowClient
from mlflow.utils.rest_utils import http_request, verify_rest_response

from tracking.mlflow.calls import Calls
from tracking.mlflow.mapping import Point

MAX_BULK_RUNS = 100  # MLflow's limits for one question after many runs' histories
MAX_BULK_POINTS = 25_000
_BULK_PAGE = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"


class Histories:
    """The histories of the metrics in one tracking store.

    Args:
        calls: of the store.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def of(self, run_id: str, key: str) -> list[Point]:
        """Every value that was logged for a metric, in the order of logging as far as MLflow keeps it."""
        found = self._calls.call(self._calls.mlflow.get_metric_history, run_id, key)
        return [Point(key, metric.step, metric.timestamp, metric.value) for metric in found]

    def of_many(self, keys: Mapping[str, Iterable[str]]) -> dict[str, list[Point]]:
        """Every value that was logged for some metrics of many runs, by run, in no order.

        One call answers for a metric of a hundred runs; where a store has no such call, each is asked for.

        Args:
            keys: names of metrics by run id.
        """
        runs_of: dict[str, list[str]] = {}
        for run_id, names in keys.items():
            for name in names:
                runs_of.setdefault(name, []).append(run_id)
        questions = [
            (name, ids[first : first + MAX_BULK_RUNS])
            for name, ids in runs_of.items()
            for first in range(0, len(ids), MAX_BULK_RUNS)
        ]
        found: dict[str, list[Point]] = {run_id: [] for run_id in keys}
        for answer in self._calls.each(lambda question: self._bulk(*question), questions):
            for run_id, point in answer:
                found[run_id].append(point)
        return found

    def _bulk(self, key: str, run_ids: Sequence[str]) -> list[tuple[str, Point]]:
        """One metric's history of at most ``MAX_BULK_RUNS`` runs, in parts where one answer is cut off."""
        if len(run_ids) == 1:
            return [(run_ids[0], point) for point in self.of(run_ids[0], key)]
        answer = self._calls.call(_bulk_history, self._calls.mlflow, run_ids, key)
        if answer is not None and len(answer) < MAX_BULK_POINTS:
            return [(m["run_id"], Point(key, m["step"], m["timestamp"], m["value"])) for m in answer]
        middle = len(run_ids) // 2
        return [*self._bulk(key, run_ids[:middle]), *self._bulk(key, run_ids[middle:])]


def _bulk_history(mlflow: MlflowClient, run_ids: Sequence[str], key: str) -> list[dict[str, Any]] | None:
    """What the UI asks for, as no public method of the client does; None where it is not there."""
    store = mlflow._tracking_client.store
    if hasattr(store, "get_metric_history_bulk"):
        found = store.get_metric_history_bulk(list(run_ids), key, MAX_BULK_POINTS)
        return [metric.to_dict() for metric in found]
    query = {"run_id": list(run_ids), "metric_key": key, "max_results": MAX_BULK_POINTS}
    answer = http_request(store.get_host_creds(), _BULK_PAGE, "GET", params=query)  # type: ignore[no-untyped-call]
    if answer.status_code == 404:
        return None
    metrics: list[dict[str, Any]] = verify_rest_response(answer, _BULK_PAGE).json()["metrics"]
    return metrics
