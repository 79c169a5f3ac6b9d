"""A random password never appears in what is shown or recorded of an address, in whatever form it is."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tracking.addresses import secrets
from tracking.addresses.secrets import address, command, masked, without_secrets_of
from tracking.addresses.uris import refuse_password, resolve_tracking_uri
from tracking.connection.database import require_server
from tracking.errors import RecordError
from tracking.files.places import open_storage

FORMS = {
    "database": "postgresql://user:{pw}@host:5432/db",
    "driver": "mysql+pymysql://user:{pw}@host/db?charset=utf8mb4",
    "no user": "postgresql://:{pw}@host/db",
    "no host": "postgresql://user:{pw}@/db",
    "server": "https://user:{pw}@host:5000/path",
    "token as user": "https://{pw}@host",
    "query": "postgresql://host/db?user=u&password={pw}",
    "first in query": "postgresql:///db?password={pw}&sslmode=require",
    "capitals": "postgresql://host/db?PWD={pw}",
    "key of a certificate": "postgresql://host/db?ssl_key_password={pw}",
    "passphrase": "mysql://host/db?sslpassword={pw}",
    "odbc": "mssql+pyodbc:///?odbc_connect=DRIVER%3D%7BX%7D%3BUID%3Du%3BPWD%3D{pw}",
    "odbc plain": "mssql+pyodbc:///?odbc_connect=DRIVER={{X}};UID=u;PWD={pw}",
    "odbc alone": "DRIVER={{X}};SERVER=host;PWD={pw}",
    "libpq": "host=h user=u password={pw}",
    "server's query": "http://host?token={pw}",
    "server's fragment": "http://host:5000/#token={pw}",
    "one slash": "postgresql:/user:{pw}@host/db",
    "no slash": "postgresql:user:{pw}@host/db",
    "three slashes": "postgresql:///user:{pw}@host/db",
    "no colon": "postgresql//user:{pw}@host/db",
    "no scheme": "user:{pw}@host:5432/db",
    "backslashes": "postgresql:\\\\user:{pw}@host/db",
    "server's one slash": "http:/user:{pw}@host",
    "sqlcipher": "sqlite+pysqlcipher://:{pw}@/file.db",
    "sqlite's query": "sqlite:////home/me/mlflow.db?password={pw}",
    "bucket": "s3://key:{pw}@bucket/prefix",
    "bucket's query": "s3://bucket/prefix?secret_key={pw}",
    "ray": "ray://user:{pw}@head:10001",
}
# What no form holds anyway.
PASSWORDS = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), min_size=8).filter(
    lambda pw: len(set(pw)) > 5 and not any(pw in form for form in FORMS.values())
)
everywhere = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def said(refuse: Callable[[str], object], uri: str) -> str:
    try:
        refuse(uri)
    except RecordError as error:
        return str(error)
    return ""


@everywhere
@settings(max_examples=25, deadline=None)
@given(pw=PASSWORDS)
def test_no_form_of_an_address_shows_a_quoted_password(form: str, pw: str) -> None:
    for written in {quote_plus(pw), quote(pw, safe="")}:
        shown = address(form.format(pw=written))
        assert written not in shown
        assert pw not in shown
        assert address(shown) == shown


@pytest.mark.parametrize("name", [name for name in FORMS if "query" not in name and "fragment" not in name])
@settings(max_examples=25, deadline=None)
@given(pw=PASSWORDS)
def test_no_form_of_an_address_shows_a_password_that_should_have_been_quoted(name: str, pw: str) -> None:
    assert pw not in address(FORMS[name].format(pw=pw))


@everywhere
def test_a_refusal_never_shows_a_password(form: str) -> None:
    uri = form.format(pw="hunter2x!9")
    for refuse in (resolve_tracking_uri, refuse_password, open_storage):
        assert "hunter2" not in said(refuse, uri)


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://user:hunter2x@host:port/db",
        "postgresql://u:hu/nter2x@127.0.0.1:1/db",
        "postgresql://u:hunter2x",
        "postgresql+nodriver://u:hunter2x@host/db",
        "postgresql://127.0.0.1:1/db?passwordd=hunter2x",
    ],
)
def test_a_database_that_cannot_be_asked_is_one_line_without_the_password(uri: str) -> None:
    with pytest.raises(RecordError, match="tracking store") as caught:
        require_server(uri, create=False)
    assert not re.search("hunter2|nter2x", str(caught.value))


@settings(max_examples=25, deadline=None)
@example(pw="00:01;23")
@given(pw=PASSWORDS)
def test_a_message_that_quotes_a_part_of_an_address_hides_it(pw: str) -> None:
    uri = f"postgresql://user:{quote(pw, safe='')}@host/db"
    for text in (f"no route to {uri}", f"bad dsn {pw!r}" if "\\" not in pw and "'" not in pw else ""):
        assert pw not in without_secrets_of(uri, text).replace("***", "")


@pytest.mark.parametrize(
    "words",
    [
        ["run", "x", "--tracking-uri", "postgresql://u:hunter2x@h/db"],
        ["--tracking-uri=postgresql:/u:hunter2x@h"],
        ["--storage=s3://k:hunter2x@b"],
        ["--token", "hunter2x"],
        ["--api-key=hunter2x"],
        ["PGPASSWORD=hunter2x"],
        ["--set", "tracking.token=hunter2x"],
        ["--cluster", "http://h?token=hunter2x"],
    ],
)
def test_a_recorded_command_line_holds_no_secret(words: list[str]) -> None:
    shown = command(words)
    assert "hunter2x" not in shlex.join(shown)
    assert len(shown) == len(words)


def test_a_command_line_without_secrets_is_recorded_as_it_is() -> None:
    words = [
        "sweeps",
        "run",
        "k-tradeoff",
        "--set",
        "search.seeds=[0, 1]",
        "--tracking-uri",
        "http://mlflow:5000",
        "--storage",
        "/srv/sweeps@home",
        "--name",
        "a:b",
    ]
    assert command(words) == words


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("+password = 'hunter2x'\n", "+password = '***'\n"),
        ('+    api_key: str = "hunter2x"  # mine\n', '+    api_key: str = "***"  # mine\n'),
        ("+db_password: hunter2x\n", "+db_password: ***\n"),
        ('+{"AWS_SECRET_ACCESS_KEY": "hunter2x"}\n', '+{"AWS_SECRET_ACCESS_KEY": "***"}\n'),
        ("+URI = 'postgresql://me:hunter2x@host/db'\n", "+URI = 'postgresql://me:***@host/db'\n"),
        ("+key = 'AKIAIOSFODNN7EXAMPLE'\n", "+key = '***'\n"),
        ("+h = {'Authorization': 'Bearer hunter2xyz'}\n", "+h = {'Authorization': 'Bearer ***'}\n"),
        (
            "+-----BEGIN PRIVATE KEY-----\n+abc\n+-----END PRIVATE KEY-----\n",
            "+-----BEGIN PRIVATE KEY-----***-----END PRIVATE KEY-----\n",
        ),
    ],
)
def test_what_looks_like_a_secret_in_a_patch_is_masked_and_counted(text: str, safe: str) -> None:
    assert masked(text) == (safe, 1)


def test_the_value_of_a_secret_variable_is_masked_wherever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "correct-horse")
    assert masked("x = f('correct-horse')") == ("x = f('***')", 1)


def test_our_own_sources_look_like_no_secrets() -> None:
    """Else the recorded patch of honest work would not apply."""
    root = Path(secrets.__file__).resolve().parents[2]
    hits = {
        f"{path.relative_to(root)}: {line.strip()}"
        for package in ("iwae", "tracking", "sweeps")
        for path in (root / package).rglob("*.py")
        for line in path.read_text().splitlines()
        if masked(line)[1]
    }
    assert hits == set()
