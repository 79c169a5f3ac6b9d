"""The schema that this MLflow wants of a database, asked before MLflow opens one and alters it."""

from alembic.script import ScriptDirectory
from mlflow.store.db import utils


def is_known(revision: str) -> bool:
    """Whether this MLflow knows a schema, its own or an older one."""
    return any(script.revision == revision for script in _scripts().walk_revisions())


def newest_revision() -> str:
    """The schema that this MLflow writes."""
    return str(_scripts().get_current_head())


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(utils._get_alembic_config(""))  # type: ignore[no-untyped-call]
