"""Names of sweeps: one pattern, because a name becomes a folder, a key in a bucket, a tag and a job's id."""

import re

from iwae.errors import ConfigError

PATTERN = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
MAX_LENGTH = 100
MUST_BE = "letters, digits, '-', '_' and '.', not starting with '-' or '.'"


def is_name(text: str) -> bool:
    """Whether a sweep may have this name."""
    return len(text) <= MAX_LENGTH and re.fullmatch(PATTERN, text) is not None


def check_name(name: str, where: str = "name") -> str:
    """The name, if a sweep may have it.

    Args:
        name: from a command line, a folder, a tag or a job.
        where: it stands, for the message.

    Raises:
        ConfigError: it is no name; joined into a path it could leave the storage.
    """
    if is_name(name):
        return name
    if len(name) > MAX_LENGTH:
        raise ConfigError(where, f"{name[:MAX_LENGTH]!r}… is not allowed: must be at most {MAX_LENGTH} long")
    raise ConfigError(where, f"{name!r} is not allowed: must be {MUST_BE}")
