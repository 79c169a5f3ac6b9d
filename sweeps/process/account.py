"""A user that the machine does not know, as containers have them: no name, no home folder."""

import getpass
import os
import stat
import tempfile
from pathlib import Path


def complete() -> None:
    """Give the process and those that it starts what PyTorch, MLflow and Ray cannot be imported without."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["LOGNAME"] = str(os.getuid())
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = _folder()


def _folder() -> str:
    """A folder that stays from command to command, unless another user made it first."""
    folder = Path(tempfile.gettempdir(), f"sweeps-home-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022:
        return str(folder)
    return tempfile.mkdtemp(prefix="sweeps-home-")
