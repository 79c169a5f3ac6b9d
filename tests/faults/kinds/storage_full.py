"""A full storage: a small file system, filled by somebody else's file."""

import os
import subprocess
import threading
from pathlib import Path

from ..place.bench import NotHereError
from ..place.case import Case

SIZE = "16m"
HELD_SECONDS = 30.0
_BLOCK = bytes(1 << 16)


class SmallDisk:
    """A tmpfs of 16 MB, and a file that takes all of it.

    Raises:
        NotHereError: this user may not mount.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
        if os.getuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
            raise NotHereError("a small file system cannot be mounted (not root)")
        self._free = threading.Event()
        self._filler = threading.Thread(target=self._fill, daemon=True)

    def fill(self) -> None:
        """Leave no byte, and take every byte that becomes free, until `free`."""
        self._filler.start()

    def free(self) -> None:
        """Give everything back."""
        self._free.set()
        self._filler.join()
        (self.folder / "filler").unlink()

    def close(self) -> None:
        """Unmount it."""
        subprocess.run(["umount", "-l", str(self.folder)], check=False, capture_output=True)

    def _fill(self) -> None:
        with (self.folder / "filler").open("wb", buffering=0) as file:
            while True:
                try:
                    while not self._free.is_set():
                        file.write(_BLOCK)
                except OSError:
                    pass
                if self._free.wait(0.02):
                    return


def storage_full(case: Case) -> None:
    """Full at a random instant, for half a minute or until the command gave up; then freed and resumed."""
    disk = SmallDisk(case.folder / "disk")
    case.closing.append(disk.close)
    sweep = case.new_sweep(storage=disk.folder / "storage")
    command = sweep.run()
    case.wait_for_instant(command, case.bench.reference.trials)
    disk.fill()
    case.pause(command, HELD_SECONDS)
    case.strike(disk.free)
    case.go_on(command)
