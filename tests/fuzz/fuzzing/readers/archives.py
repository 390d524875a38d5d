"""The tar and zip archives that data sets come in: as published, and as if another had been."""

import gzip
import hashlib
import io
import random
import tarfile
import zipfile

from bdfa_np.data.sources.archives import unpack
from bdfa_np.data.sources.kinds import Archive, ArchivedFile
from fuzzing.engine import Mutated, Reader
from fuzzing.formats import gzipped, zipped
from fuzzing.mutations import of_bytes
from fuzzing.readers.shared import digest, pixels, write

_CONTENTS = {"a.bin": pixels(300).tobytes(), "b.bin": pixels(200).tobytes()}


class Tar(Reader):
    """A gzipped tar archive."""

    name = "archive.tar.gz"
    protected = True

    def make(self) -> list[bytes]:
        """Return an archive of two files in a folder."""
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            for name, content in _CONTENTS.items():
                info = tarfile.TarInfo(f"inner/{name}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return self._published(gzip.compress(stream.getvalue(), mtime=0))

    def _published(self, content: bytes) -> list[bytes]:
        self.sha256 = hashlib.sha256(content).hexdigest()
        return [content]

    def change(self, rng: random.Random, content: bytes) -> Mutated:
        """Change it, as packed or before; mostly it is taken for published."""
        changed = rng.choice((of_bytes, gzipped(of_bytes)))(rng, content, [])
        return Mutated(b"\1" + changed, True) if rng.random() < 0.8 else Mutated(b"\0" + changed)

    def read(self, content: bytes) -> str:
        """Unpack it."""
        archive_name = self.name.replace(" ", "")
        sealed, content = content[:1] == b"\1", content[content[:1] in (b"\0", b"\1") :]
        path = write(self.folder / archive_name, content)
        sha256 = hashlib.sha256(content).hexdigest() if sealed else self.sha256
        files = tuple(ArchivedFile(name, len(inside), None) for name, inside in _CONTENTS.items())
        out = self.folder / "out"
        for left in out.glob("*"):
            left.unlink()
        unpack(Archive(archive_name, sha256, (), "inner", files), path, list(_CONTENTS), out)
        beside = sorted(path.name for path in self.folder.iterdir())
        assert beside == sorted({archive_name, "out"}), f"left beside the folder: {beside}"
        return digest((name, (out / name).read_bytes()) for name in _CONTENTS if (out / name).exists())


class Zip(Tar):
    """A zip archive."""

    name = "archive.zip"

    def make(self) -> list[bytes]:
        """Return an archive of two files in a folder."""
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in _CONTENTS.items():
                archive.writestr(zipfile.ZipInfo(f"inner/{name}"), content)
        return self._published(stream.getvalue())

    def change(self, rng: random.Random, content: bytes) -> Mutated:
        """Change it, as packed or before; mostly it is taken for published."""
        changed = rng.choice((of_bytes, zipped(of_bytes)))(rng, content, [])
        return Mutated(b"\1" + changed, True) if rng.random() < 0.8 else Mutated(b"\0" + changed)


READERS = (Tar, Zip)
