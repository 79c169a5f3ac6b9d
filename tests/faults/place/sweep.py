"""A small real sweep in a folder of its own, run through the command line."""

import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import results
from .commands import Command

NAME = "small"
SPACE = "objective.num_samples: {grid: [1, 20]}"
SPEC = f"""
name: {NAME}
base:
  data: {{name: digits}}
  model: {{hidden_dims: [32], latent_dim: 4}}
  batch_size: 50
  num_epochs: 16
  evaluation:
    {{num_samples: 20, num_images: 200, final_num_samples: 500, few_num_samples: 20, snr_num_draws: 20}}
search:
  space:
    {SPACE}
  seeds: [0, 1]
checkpoint_every: 0.02
"""
FIRST_TRIAL_SECONDS = 180.0


class EndedError(Exception):
    """The command ended before the moment that was waited for."""


class Sweep:
    """A folder with the spec of a sweep, its storage, and the commands that were run on it.

    Args:
        folder: where the commands run.
        space: the search space's line of the spec.
        address: of a Ray cluster; None starts Ray with each command.
        tracking_uri: None is the database in the folder.
        storage: the storage folder; None is `sweeps-storage` in the folder.
    """

    def __init__(
        self,
        folder: Path,
        *,
        space: str = SPACE,
        address: str | None = None,
        tracking_uri: str | None = None,
        storage: Path | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        (folder / "spec.yaml").write_text(SPEC.replace(SPACE, space))
        self.storage = storage or folder / "sweeps-storage"
        self.files = self.storage / NAME
        self.tracking_uri = tracking_uri or f"sqlite:///{folder}/mlflow.db"
        self.address = address
        self.commands: list[Command] = []
        self._numbers = itertools.count(1)

    def start(self, *words: str) -> Command:
        """Start `sweeps <words>` on this sweep's tracking store and storage."""
        words += ("--tracking-uri", self.tracking_uri, "--storage", str(self.storage))
        if self.address is not None and words[0] in ("run", "resume"):
            words += ("--address", self.address)
        log = self.folder / f"{next(self._numbers)}-{words[0]}"
        command = Command(list(words), self.folder, log)
        self.commands.append(command)
        return command

    def run(self) -> Command:
        """Start the sweep."""
        return self.start("run", "spec.yaml", "--json")

    def resume(self) -> Command:
        """Start to go on with it."""
        return self.start("resume", NAME, "--json")

    def sessions(self) -> list[dict[str, Any]]:
        """What the drivers left, oldest first."""
        return [json.loads(path.read_text()) for path in sorted(self.files.glob("sessions/*.json"))]

    def verify(self, *words: str) -> dict[str, Any]:
        """What `sweeps verify --json` says; a failure of the command itself is a fault too."""
        command = self.start("verify", NAME, "--json", *words)
        code = command.wait()
        try:
            answer: dict[str, Any] = json.loads(command.out.read_text())
        except ValueError:
            said = " ".join(command.err.read_text().split())[-300:]
            return {"ok": False, "faults": [{"trial_key": None, "what": f"verify: exit {code}: {said}"}]}
        return answer

    def wait_for(self, condition: Callable[[], Any], command: Command, seconds: float) -> None:
        """Wait until something is so.

        Raises:
            EndedError: the command ended, or so many seconds went by, before it was.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if not command.running or time.monotonic() > deadline:
                raise EndedError(f"`{command}`: exit {command.process.poll()}")
            time.sleep(0.02)

    def wait_for_first_trial(self, command: Command, since: float) -> None:
        """Wait until a trial began after this moment (seconds since 1970)."""
        self.wait_for(lambda: self.attempts_since(since), command, FIRST_TRIAL_SECONDS)

    def attempts_since(self, moment: float, first: int = 1) -> list[float]:
        """When attempts with at least this number began after a moment, in order."""
        found = results.attempts(self.files)
        return sorted(a["started"] for _, number, a in found if a["started"] > moment and number >= first)

    def unfinished(self) -> dict[str, int]:
        """Trials that began and did not end: key to the process that worked on it last."""
        found = results.attempts(self.files)
        return {key: a["pid"] for key, _, a in found if not self._ended(key)}

    def _ended(self, key: str) -> bool:
        return any((self.files / "trials" / key / name).exists() for name in ("final.zip", "outcome.json"))
