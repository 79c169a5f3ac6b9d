import io
import zipfile
from pathlib import Path


def rewritten(path: Path, member: str, content: bytes) -> None:
    """The zip with another content of one member, whose CRC is right again."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, old in members.items():
            archive.writestr(name, content if name == member else old)
    path.write_bytes(buffer.getvalue())
