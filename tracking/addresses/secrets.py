"""What must not be shown or recorded: passwords in addresses, and what looks like a secret in any text.

An address shows what is known to be harmless, and hides the rest: of its query only these parameters, of its
user part the name where it is plainly one. So a mistyped address hides too much rather than too little.
"""

import os
import re
from collections.abc import Iterable
from urllib.parse import unquote

HIDDEN = "***"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[/\\]{0,3}")
_NAME = re.compile(r"[^:/?#@\\&=%\s]*")
_HARMLESS = re.compile(
    r"(?:application_name|charset|check_same_thread|connect_timeout|db|dbname|driver|endpoint_override|host"
    r"|hostaddr|immutable|mode|nolock|port|sslmode|ssl|timeout|uri|user|vfs|workflowType)=[\w.,:/%+*\- ]*",
    re.IGNORECASE,
)
_WORDS = r"pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|api[_-]?key|access[_-]?key|private[_-]?key"
# In an address or a driver's own string, also percent-encoded: from there on nothing is shown.
_KEYED = re.compile(rf"((?:{_WORDS})\w*\s*(?:=|%3D)).*", re.IGNORECASE | re.DOTALL)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:/{1,3}[^\s'\"<>`]+|[\w.+\-]+:[^\s'\"<>`@/]+@[\w.\-]+")
_KEY = rf"[\w\-.]*(?:{_WORDS})[\w\-]*"
_LOOKS_SECRET = (
    # A value in quotes, and one that ends its line: `token = "..."`, `password: ...`.
    re.compile(
        rf"(?P<before>\b{_KEY}['\"]?\s*(?::\s*\w+\s*)?[:=]\s*['\"])(?P<secret>[^'\"\s]{{4,}})(?=['\"])", re.I
    ),
    re.compile(
        rf"(?P<before>\b{_KEY}\s*[:=]\s*)(?P<secret>(?=\S*\d)[^\s'\"(){{}}\[\],]{{6,}})(?=\s*$)", re.I | re.M
    ),
    re.compile(rf"(?P<before>--{_KEY}(?:=|\s+))(?P<secret>\S+)", re.I),
    re.compile(r"(?P<before>\b(?:Bearer|Basic)\s+)(?P<secret>[\w+/=.~\-]{8,})"),
    re.compile(r"(?P<before>-----BEGIN [A-Z ]*PRIVATE KEY-----)(?P<secret>.*?)(?=-----END|\Z)", re.DOTALL),
    # Keys of known services: AWS, GitHub, GitLab, Hugging Face, OpenAI and alike, Slack, and web tokens.
    re.compile(
        r"(?P<before>)(?P<secret>\b(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_\w{20,}|github_pat_\w{20,}"
        r"|glpat-[\w\-]{16,}|hf_\w{20,}|sk-[\w\-]{16,}|xox[abprs]-[\w\-]{10,}|eyJ[\w\-]{8,}\.[\w\-]+\.[\w\-]+))"
    ),
)
_MIN_LENGTH = 6


def address(text: str) -> str:
    """An address with ``***`` for what may be a secret, also a mistyped one; a file's path as it is."""
    if text.startswith(("sqlite:", "file:", "/", "./", "../", "~")) and not text.startswith("//"):
        path, mark, query = text.partition("?")
        return path + mark + _query(query) if text.startswith("sqlite:") else text
    if keyed := _KEYED.search(text):
        # What follows is the secret's, also an @ that would end the user's part elsewhere.
        where, mark, query = text.partition("?")
        if mark and len(where) < keyed.start():
            return f"{address(where)}?{_query(query)}"
        if "://" not in text[: keyed.start()]:
            return _KEYED.sub(rf"\1{HIDDEN}", text)
    scheme = match[0] if (match := _SCHEME.match(text)) else ""
    # The last @: a password that was not quoted holds what it likes.
    user, at, place = text[len(scheme) :].rpartition("@")
    shown = scheme + (_user(user, scheme) + at if at else "")
    where, mark, query = re.match(r"([^?#]*)([?#]?)(.*)", place, re.DOTALL).groups()  # type: ignore[union-attr]
    query = _query(query) if mark == "?" else HIDDEN if mark else ""
    return shown + _KEYED.sub(rf"\1{HIDDEN}", where if at else _place(where, scheme)) + mark + query


def _user(text: str, scheme: str) -> str:
    name, colon, _ = text.partition(":")
    if scheme.startswith(("http:", "https:")) or not scheme.endswith("://") or not _NAME.fullmatch(name):
        return HIDDEN
    return f"{name}:{HIDDEN}" if colon else name


def _place(text: str, scheme: str) -> str:
    """Host, port and path without a user: what should be a port and is no number may be a password."""
    host, slash, path = text.partition("/")
    name, colon, port = host.rpartition(":")
    if scheme.endswith("://") and colon and not port.isdigit() and not host.endswith("]"):
        return f"{name}:{HIDDEN}"
    return host + slash + path


def _query(text: str) -> str:
    kept: list[str] = []
    for part in re.split("[&;]", text) if text else []:
        if not _HARMLESS.fullmatch(part):
            return "&".join([*kept, HIDDEN])
        kept.append(part)
    return "&".join(kept)


def without_secrets_of(uri: str, text: str) -> str:
    """A message about an address, which may quote parts of it, with ``***`` for those that are hidden."""
    shown = address(uri)
    text = text.replace(uri, shown).replace(unquote(uri), shown)
    if shown == uri:
        return text
    pieces = {piece for form in (uri, unquote(uri)) for piece in re.split(r"[/:?#@&=;\s]+", form)}
    # The password as a whole: its own pieces may be too short to be told from other words.
    password = uri.rpartition("@")[0].partition("://")[2].partition(":")[2]
    pieces |= {password, unquote(password)}
    harmless = set(re.split(r"[/:?#@&=;\s]+", shown))
    for piece in sorted(pieces - harmless, key=len, reverse=True):
        if len(piece) >= 3:
            text = text.replace(piece, HIDDEN)
    return text


def masked(text: str) -> tuple[str, int]:
    """Any text with ``***`` for what looks like a secret, and how many there were.

    Passwords in addresses, values of keys such as ``password`` or ``token``, keys of known services, and the
    values of this process's own environment variables of such names.
    """
    count = 0
    for value in _own():
        count += text.count(value)
        text = text.replace(value, HIDDEN)

    def hide(match: re.Match[str]) -> str:
        nonlocal count
        found = match.groupdict()
        if "before" in found:
            new = f"{found['before']}{HIDDEN}"
        else:
            new = address(match[0]) if "@" in match[0] or _KEYED.search(match[0]) else match[0]
        count += new != match[0] and found.get("secret") != HIDDEN
        return new

    for pattern in (_ADDRESS, *_LOOKS_SECRET):
        text = pattern.sub(hide, text)
    return text, count


def command(words: Iterable[str]) -> list[str]:
    """The words of a command line with ``***`` for what looks like a secret."""
    shown: list[str] = []
    after = ""
    for word in words:
        option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        is_address = (option or after) in ("--tracking-uri", "--storage", "--cluster", "--address")
        is_secret = re.fullmatch(rf"--{_KEY}", option or after, re.IGNORECASE) is not None
        new = HIDDEN if is_secret and value else address(value) if is_address else masked(value)[0]
        shown.append(f"{option}{equals}{new}")
        after = word if word.startswith("--") and not equals else ""
    return shown


def _own() -> list[str]:
    values = [value for name, value in os.environ.items() if re.search(_WORDS, name, re.IGNORECASE)]
    long = {value for value in values if len(value) >= _MIN_LENGTH and not value.startswith("/")}
    return sorted(long, key=len, reverse=True)
