"""Units of which a bit changed: the same content, or BadZipFile, and the sweep goes on from what is whole."""

import errno
import io
import random
import zipfile

import pytest

from support.hand_made import Sweep
from tracking.errors import StorageError
from tracking.records.records import TrialState
from tracking.storage.checkpoint import Checkpoint
from tracking.storage.manifest import ZIP, Decided
from tracking.verification.mend import mend
from tracking.verification.storage import storage_faults

BITS = 300


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def bits_of(content: bytes, seed: int) -> list[int]:
    """Some bits of the headers and some of the rest; the headers are around names and at the end."""
    rng = random.Random(seed)
    headers = [n for n in range(len(content)) if content[max(0, n - 50) : n + 50].count(b"PK")]
    places = [*rng.choices(headers, k=BITS - 50), *rng.choices(range(len(content)), k=50)]
    return [8 * place + rng.randrange(8) for place in places]


@pytest.mark.parametrize("payload", [True, False])
@pytest.mark.parametrize("where", ["0/final.zip", "1/checkpoint-000000000020.zip"])
def test_a_unit_with_another_bit_is_the_same_or_torn(begun: Sweep, where: str, payload: bool) -> None:
    index, name = where.split("/")
    path = begun.trial_folder(int(index)) / name
    content = path.read_bytes()
    whole = Checkpoint.read(io.BytesIO(content), payload=payload)
    torn = 0
    for bit in bits_of(content, seed=len(content)):
        path.write_bytes(flipped(content, bit))
        for file in (io.BytesIO(path.read_bytes()), path.open("rb")):
            with file:
                try:
                    assert Checkpoint.read(file, payload=payload) == whole, f"bit {bit}"
                except zipfile.BadZipFile:
                    torn += 1
    assert torn > BITS // 2


def test_a_decided_unit_with_another_bit_is_the_same_or_torn(begun: Sweep) -> None:
    content = (begun.folder / ZIP).read_bytes()
    whole = Decided.read(content)
    torn = 0
    for bit in bits_of(content, seed=1):
        try:
            assert Decided.read(flipped(content, bit)) == whole, f"bit {bit}"
        except zipfile.BadZipFile:
            torn += 1
    assert torn > BITS // 4


# Where an entry of a zip directory has its flags, its method and version, its member name and place.
HEADERS = {"encrypted": (8, 0), "method": (10, 1), "version": (6, 6), "name": (46, 1), "place": (42, 6)}


@pytest.mark.parametrize("header", HEADERS)
def test_a_trial_goes_on_from_the_checkpoint_before_an_altered_header(begun: Sweep, header: str) -> None:
    key = begun.plan[1].key
    path = begun.trial_folder(1) / "checkpoint-000000000020.zip"
    content = path.read_bytes()
    offset, bit = HEADERS[header]
    path.write_bytes(flipped(content, 8 * (content.rindex(b"PK\x01\x02") + offset) + bit))
    for payload in (True, False):
        unit = begun.storage.trial(key).newest(payload=payload)
        assert unit is not None
        assert unit.steps == 10
    assert begun.storage.record().trials[1].state is TrialState.RUNNING
    (fault,) = storage_faults(begun.storage)
    assert "checkpoint-000000000020.zip is torn" in fault.what
    assert len(mend(begun.storage)) == 1
    assert list(storage_faults(begun.storage)) == []


@pytest.mark.parametrize("header", HEADERS)
def test_what_was_decided_is_read_from_the_plain_files(begun: Sweep, header: str) -> None:
    content = (begun.folder / ZIP).read_bytes()
    offset, bit = HEADERS[header]
    (begun.folder / ZIP).write_bytes(flipped(content, 8 * (content.rindex(b"PK\x01\x02") + offset) + bit))
    assert [trial.key for trial in begun.storage.plan()] == [trial.key for trial in begun.plan]
    assert any(f"{ZIP} is torn" in fault.what for fault in storage_faults(begun.storage))
    assert mend(begun.storage) == [f"{ZIP} was torn or missing: made again from the plain files"]


class BrokenDisk(io.BytesIO):
    """A file that the disk gives up on after some reads."""

    def __init__(self, content: bytes, reads: int) -> None:
        super().__init__(content)
        self.reads = reads

    def read(self, size: int | None = -1) -> bytes:
        self.reads -= 1
        if self.reads < 0:
            raise OSError(errno.EIO, "Input/output error")
        return super().read(size)


@pytest.mark.parametrize("reads", range(6))
def test_a_disk_that_does_not_answer_is_no_torn_unit(begun: Sweep, reads: int) -> None:
    content = (begun.trial_folder(0) / "final.zip").read_bytes()
    with pytest.raises(OSError, match="Input/output error"):
        Checkpoint.read(BrokenDisk(content, reads))


def test_a_unit_that_cannot_be_read_is_not_mended_away(begun: Sweep) -> None:
    path = begun.trial_folder(0) / "final.zip"
    path.unlink()
    path.symlink_to("/proc/self/mem")  # reading it is an I/O error, even root's
    with pytest.raises(StorageError, match="Input/output error"):
        mend(begun.storage)
    assert path.is_symlink()
