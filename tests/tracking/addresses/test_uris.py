import pytest

from tracking.addresses.uris import refuse_password, resolve_tracking_uri, shown
from tracking.errors import RecordError
from tracking.store import RunStore


@pytest.mark.parametrize(
    ("uri", "safe"),
    [
        ("postgresql://user:s3cret@host:5432/db", "postgresql://user:***@host:5432/db"),
        ("postgresql+psycopg2://user:s3c/r:et@host/db", "postgresql+psycopg2://user:***@host/db"),
        ("mysql://:s3cret@host/db?ssl=1", "mysql://:***@host/db?ssl=1"),
        ("postgresql://host/db?user=u&password=s3cret&a=b", "postgresql://host/db?user=u&***"),
        ("https://user:s3cret@host:5000/path", "https://***@host:5000/path"),
        ("https://s3cret@host", "https://***@host"),
        ("https://user:s3c/re?t@host:5000/path", "https://***@host:5000/path"),
        ("postgresql://user:s3c@r/e#t@host/db", "postgresql://user:***@host/db"),
    ],
)
def test_a_password_is_never_shown(uri: str, safe: str) -> None:
    assert shown(uri) == safe


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite:////home/me:you@there/mlflow.db",
        "postgresql://user@host:5432/db",
        "http://host:5000",
        "postgresql:///db",
    ],
)
def test_what_has_no_password_is_shown_as_it_is(uri: str) -> None:
    assert shown(uri) == uri
    refuse_password(uri)


@pytest.mark.parametrize(
    "uri", ["http://user:s3cret@host:5000", "https://s3cret@host", "http://user:x/s3cret@host:5000"]
)
def test_credentials_in_a_servers_address_are_refused(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fix = r"\*\*\*@host.*MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
    with pytest.raises(RecordError, match=fix) as caught:
        resolve_tracking_uri(uri)
    assert "s3cret" not in str(caught.value)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(RecordError, match=fix):
        resolve_tracking_uri()


@pytest.mark.parametrize(
    "uri",
    ["http://HOST:PORT", "http://", "http://host:82650", "http://[::1:5000", "http://a..b", "http://h:1:2"],
)
def test_a_servers_address_that_is_none_is_one_line(uri: str) -> None:
    with pytest.raises(RecordError, match="is not allowed: must be http://, a host and a port's number"):
        resolve_tracking_uri(uri)
    assert resolve_tracking_uri("http://[::1]:5000/") == "http://[::1]:5000"


def test_a_databases_password_is_refused_where_lists_of_processes_show_it() -> None:
    with pytest.raises(RecordError, match=r"user:\*\*\*@host.*set MLFLOW_TRACKING_URI"):
        refuse_password("postgresql://user:s3cret@host/db")


def test_a_store_shows_its_address_without_the_password() -> None:
    store = RunStore("postgresql://user:s3cret@host/db")
    assert store.tracking_uri == "postgresql://user:***@host/db"
    assert store.connection_uri == "postgresql://user:s3cret@host/db"


@pytest.mark.parametrize("uri", ["ftp://u:s3cret@h/x", "postgres://u:s3cret@h/db", "htp://u:s3cret@h"])
def test_an_address_that_is_no_tracking_store_is_refused_before_mlflow_is_asked(uri: str) -> None:
    with pytest.raises(RecordError, match="is not allowed: must be sqlite:///path, a server's http") as told:
        resolve_tracking_uri(uri)
    assert "s3cret" not in str(told.value)


def test_the_case_of_a_scheme_changes_nothing() -> None:
    assert resolve_tracking_uri("HTTPS://host/Path/") == "https://host/Path"
    assert resolve_tracking_uri("SQLite:////tmp/X.db") == "sqlite:////tmp/X.db"
    with pytest.raises(RecordError, match=r"credentials in .* are not allowed") as told:
        resolve_tracking_uri("HTTP://u:s3cret@h")
    assert "s3cret" not in str(told.value)
