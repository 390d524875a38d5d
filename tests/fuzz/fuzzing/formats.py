"""Changes that know a format: they make files that get past its outermost check, its checksums first of all."""

import functools
import gzip
import hashlib
import io
import random
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Sequence

import h5py
import numpy as np

from bdfa_np.system.sealed import SEAL
from fuzzing.mutations import NASTY_WORDS, Mutation, in_place, of_bytes, of_text

_PNG = b"\x89PNG\r\n\x1a\n"
_WORD = 0xFFFFFFFF
_SIGNATURES = rb"\x89HDF\r\n\x1a\n|OHDR|OCHK|FRHP|FHDB|FHIB|BTHD|BTLF|BTIN|FAHD|FADB|EAHD|EAIB"


def gzipped(inner: Mutation) -> Mutation:
    """Change what a gzip file holds, and pack it again with the right sum; now and then the packed bytes too."""

    def change(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
        try:
            plain = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            return of_bytes(rng, content, others)
        packed = gzip.compress(inner(rng, plain, []), 1, mtime=0)
        if rng.random() < 0.1:  # two members, of which the second may be anything
            packed += rng.choice((packed, b"\0" * 8, rng.randbytes(20)))
        return packed

    return change


def zipped(inner: Mutation) -> Mutation:
    """Change a member of a zip archive, its name or its place, and pack it again with the right sums."""

    def change(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(info.filename, archive.read(info)) for info in archive.infolist()]
        place, other = rng.randrange(len(members)), rng.randrange(len(members))
        name, inside = members[place]
        kind = rng.random()
        if kind < 0.75:
            members[place] = name, inner(rng, inside, [content for _, content in members])
        elif kind < 0.8:
            del members[place]
        elif kind < 0.85:
            members.append(members[place])
        elif kind < 0.9:
            members[place] = name, members[other][1]
        else:
            members[place] = rng.choice((f"../{name}", f"/{name}", name.upper(), "", "x.npy", "é" + name)), inside
        packed = io.BytesIO()
        method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
        with zipfile.ZipFile(packed, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, method))) as archive:
            for name, inside in members:
                info = zipfile.ZipInfo(name or "x")
                info.compress_type = archive.compression
                _quietly_written(archive, info, inside)
        return packed.getvalue()

    return change


def _quietly_written(archive: zipfile.ZipFile, info: zipfile.ZipInfo, content: bytes) -> None:
    archive.NameToInfo.pop(info.filename, None)  # which would have it warn of a name that is there twice
    archive.writestr(info, content)


def npy(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change the dictionary in an ``.npy`` file's header, with its length right, or its bytes."""
    if not content.startswith(b"\x93NUMPY") or rng.random() < 0.4:
        return of_bytes(rng, content, others)
    (length,) = struct.unpack_from("<H", content, 8)
    header, body = content[10 : 10 + length].decode("latin-1"), content[10 + length :]
    kind = rng.random()
    if kind < 0.3:
        sides = rng.choice(
            ("0", "-1", "1", "2**40", "9" * 30, "4294967296, 4294967296", "1, " * 70, "3.0", "True", "'a'")
        )
        header = re.sub(r"\(.*\)", f"({sides},)", header)
    elif kind < 0.7:
        types = (
            "|O",
            "<f8",
            ">f4",
            "<f2",
            "<U0",
            "<U1",
            "<U99999999",
            "|S9",
            "|V8",
            "<M8[s]",
            "<c16",
            "|b1",
            "<i8",
            "<u8",
        )
        described = rng.choice((*types, "<f16", "junk", "|S0", "<i99"))
        named = rng.choice((f"'{described}'", f"[('a', '{described}')]", "[]", "('<f4', (2,))", "None", "{}"))
        header = re.sub(r"'descr': '[^']*'", f"'descr': {named}", header)
    elif kind < 0.8:
        header = header.replace("False", rng.choice(("True", "None", "1", "'x'")))
    else:
        header = of_text(rng, header.encode("latin-1"), []).decode("latin-1")[:60_000]
    version = rng.choice((b"\x01\x00", b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\xff\x00"))
    size = struct.pack("<H" if version[0] == 1 else "<I", len(header) % (2**16 if version[0] == 1 else 2**32))
    return b"\x93NUMPY" + version + size + header.encode("latin-1", "replace") + body


def npz(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change an array's file in an ``.npz`` file, or its place there, with the archive's sums right."""
    return zipped(npy)(rng, content, others)


def png(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change a chunk of a PNG file, or their order, with every sum right; of the pixels, what is packed."""
    if not content.startswith(_PNG):
        return of_bytes(rng, content, others)
    chunks, place = [], len(_PNG)
    while place + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, place)
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + length]))
        place += 12 + length
    which, kind = rng.randrange(len(chunks)), rng.random()
    name, data = chunks[which]
    if kind < 0.45:
        if name == b"IDAT" and rng.random() < 0.7:
            chunks[which] = name, zlib.compress(of_bytes(rng, zlib.decompress(data), []), 1)
        else:
            chunks[which] = name, in_place(rng, data, []) if rng.random() < 0.6 else of_bytes(rng, data, [])
    elif kind < 0.6:
        name, data = chunks[0]
        chunks[0] = name, in_place(rng, data, [])
    elif kind < 0.7:
        del chunks[which]
    elif kind < 0.8:
        chunks.insert(rng.randint(0, len(chunks)), chunks[which])
    else:
        more = rng.choice(
            (b"PLTE", b"tRNS", b"gAMA", b"iCCP", b"zTXt", b"iTXt", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"pHYs")
        )
        inside = rng.choice(
            (b"", bytes(rng.randint(1, 800)), rng.randbytes(rng.randint(1, 40)), b"a\0\0" + zlib.compress(bytes(10**6)))
        )
        chunks.insert(rng.randint(1, len(chunks)), (more, inside))
    return _PNG + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


_TOML_VALUES = (
    *NASTY_WORDS, '"\\u0000"', '"\\ud800"', '"\\x1b"', "[]", "[1, 2]", "[[]]", "{}", "{a = 1}", "1979-05-27",
    "07:32:00", "1979-05-27T07:32:00Z", "9" * 5000, "-" + "9" * 30,
    '"' + "a" * 70_000 + '"', "[" * 500 + "]" * 500, '"1"', "+1",
    "1.0", "1e3", "-1.5", "1e-320", "4.9e-324", "2147483647", "4294967296", "[nan]", '["a"]', "[1.5]", '"bp"', '"conv"',
    '"mnist"', '"/nowhere/x.npz"', '"/dev/null"', '""', "[true, false]", '["a", "a"]', "[-1]", "[0]",
    "[99999999, 99999999]",
)  # fmt: skip


def toml(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change values, keys and tables of a TOML file, which mostly remains one."""
    if rng.random() < 0.25:
        return of_text(rng, content, others)
    lines = content.decode().splitlines()
    for _ in range(rng.choice((1, 1, 2, 4))):
        place = rng.randrange(len(lines))
        key, equals, value = lines[place].partition(" = ")
        kind = rng.random()
        if kind < 0.55 and equals:
            lines[place] = f"{key} = {rng.choice(_TOML_VALUES)}"
        elif kind < 0.65 and equals:
            name = rng.choice(
                (key.replace("_", "-"), key.upper(), f'"{key}"', f"{key}.a", f"{key}x", "a", '""', '"\\u0000"')
            )
            lines[place] = f"{name} = {value}"
        elif kind < 0.75:
            del lines[place]
        elif kind < 0.8:
            lines.insert(rng.randint(0, len(lines)), lines[place])
        elif kind < 0.9 and equals:
            other = rng.choice([line for line in lines if " = " in line])
            lines[place] = f"{key} = {other.partition(' = ')[2]}"
        else:
            table = rng.choice(
                ("[options]", "[data]", "[[data]]", "[run]", "[a.b.c]", "[versions]", "[options.lr]", "[]")
            )
            lines.insert(rng.randint(0, len(lines)), table)
        if not lines:
            lines = [""]
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")


def table(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change cells, rows, columns and the delimiter of a CSV file."""
    if rng.random() < 0.25:
        return of_text(rng, content, others)
    rows = [line.split(",") for line in content.decode("utf-8", "replace").splitlines()]
    for _ in range(rng.choice((1, 1, 2, 4))):
        row = rng.choice(rows) if rng.random() < 0.8 else rows[0]
        place, kind = rng.randrange(len(row)), rng.randrange(8)
        if kind <= 2:
            row[place] = rng.choice(NASTY_WORDS)
        elif kind == 3:
            row[place] = f'"{row[place]}"' if rng.random() < 0.5 else f'"{row[place]}'
        elif kind == 4 and len(row) > 1:
            del row[place]
        elif kind == 5:
            row.insert(place, rng.choice(NASTY_WORDS) if rng.random() < 0.5 else row[place])
        elif kind == 6:
            for one in rows:
                if place < len(one):
                    one[place] = (
                        rng.choice(NASTY_WORDS) if rng.random() < 0.1 else rows[-1][min(place, len(rows[-1]) - 1)]
                    )
        else:
            rows.insert(rng.randint(0, len(rows)), list(rng.choice(rows)) if rng.random() < 0.5 else [""])
    delimiter = rng.choice((",", ",", ",", ";", "\t", "|", ", ", ",,"))
    end = rng.choice(("\n", "\n", "\n", "\r\n", "\r", "\n\n"))
    return end.join(delimiter.join(row) for row in rows).encode("utf-8", "surrogatepass")


def hdf5(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change what an HDF5 file holds, with every sum right, or blocks of its structure, with theirs right.

    A file that is sealed with its SHA-256 is sealed anew.
    """
    changed = (hdf5_members if rng.random() < 0.4 else hdf5_structure)(rng, content, others)
    seal = changed[:SEAL].replace(sha256(content[SEAL:]).encode(), sha256(changed[SEAL:]).encode())
    seal = seal.replace(f" {len(content)} ".encode(), f" {len(changed)} ".encode())
    return seal.ljust(SEAL, b"\0")[:SEAL] + changed[SEAL:]


_SCALARS = (
    *(0, -1, 1, 2, 1e308, -1e308, np.nan, np.inf, -np.inf, 1e-320, True),
    *(2**31, 2**63 - 1, -(2**63), 2**64 - 1),
    *("x", "", b"x", b"", b"\xff", "a" * 30_000, b"{}", b"[]", b"[" * 30_000),
    *([], [1], [[1.5]], [0, 0], [2**40, 2**40], ["a"]),
)


def hdf5_members(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change attributes and arrays of an HDF5 file through HDF5 itself: other types, shapes and values, or none."""
    memory = io.BytesIO(content)
    with h5py.File(memory, "r+") as file:
        for _ in range(rng.choice((1, 1, 2))):
            names: list[str] = []
            file.visit(names.append)  # which follows no links
            item = file[rng.choice(["/", *names])] if names else file
            if item.attrs and rng.random() < 0.6:
                _change_attribute(rng, item)
            elif isinstance(item, h5py.Dataset):
                _change_array(rng, file, item)
    return memory.getvalue()


def _change_attribute(rng: random.Random, item: h5py.Group | h5py.Dataset) -> None:
    name = rng.choice(sorted(item.attrs))
    kind = rng.random()
    if kind < 0.15:
        del item.attrs[name]
    elif kind < 0.25:
        item.attrs[f"{name}{rng.randrange(3)}"] = 1.0
    elif kind < 0.3:
        item.attrs[name] = h5py.Empty("f4")
    else:
        item.attrs[name] = rng.choice(_SCALARS)


def _change_array(rng: random.Random, file: h5py.File, item: h5py.Dataset) -> None:
    name, kind = item.name, rng.random()
    if kind < 0.35 and item.size and item.dtype.kind in "fiu":
        values = item[...]
        number = rng.choice([one for one in _SCALARS if isinstance(one, int | float)])
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            values.flat[rng.randrange(values.size)] = np.array(float(number)).astype(values.dtype)
        item[...] = values
        return
    values = item[...] if item.shape is not None else np.zeros(3)
    del file[name]
    shape = tuple(rng.choice((0, 1, 2, 3, 2**20)) for _ in range(rng.randrange(4)))
    if kind < 0.5:
        return
    if kind < 0.65:
        file.create_group(name)
    elif kind < 0.8:
        numbers = values if values.dtype.kind in "fiub" else np.zeros(values.shape)
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            file[name] = numbers.astype(rng.choice(("<i8", "|u1", "<f2", ">f8", "|b1", "|S3", "<c8")))
    elif kind < 0.9:
        file.create_dataset(
            name, shape, rng.choice(("<f4", "<f8", "|u1")), chunks=True if shape and all(shape) else None
        )
    else:
        file[name] = rng.choice((h5py.SoftLink("/nowhere"), h5py.SoftLink("/"), h5py.ExternalLink("/etc/passwd", "/")))


def hdf5_structure(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change an HDF5 file within one of the blocks that have a checksum of HDF5's own, and set that right."""
    blocks = sealed_blocks(content)
    if not blocks or rng.random() < 0.2:
        return of_bytes(rng, content, others)
    changed = bytearray(content)
    for start, end in rng.sample(blocks, min(len(blocks), rng.choice((1, 1, 2)))):
        inside = in_place(rng, bytes(changed[start:end]), [])
        if rng.random() < 0.8:
            inside = bytes(changed[start : start + 4]) + inside[4:]  # its signature, without which it is nothing
        changed[start:end] = inside
        struct.pack_into("<I", changed, end, lookup3(bytes(changed[start:end])))
    return bytes(changed)


@functools.lru_cache
def sealed_blocks(content: bytes) -> list[tuple[int, int]]:
    """Return where the blocks of an HDF5 file's structure begin and end, the end being where their checksum stands."""
    blocks = []
    for match in re.finditer(
        rb"\x89HDF\r\n\x1a\n|OHDR|OCHK|FRHP|FHDB|FHIB|BTHD|BTLF|BTIN|FAHD|FADB|EAHD|EAIB", content
    ):
        start = match.start()
        likely = [_object_header_end(content, start)] if match.group() == b"OHDR" else []
        for end in (*likely, *range(start + 8, min(start + 600, len(content) - 3))):
            if end + 4 <= len(content) and _sum_at(content, end) == lookup3(content[start:end]):
                blocks.append((start, end))
                break
    return blocks


def _sum_at(content: bytes, place: int) -> int:
    return int.from_bytes(content[place : place + 4], "little")


def _object_header_end(content: bytes, start: int) -> int:
    flags = content[start + 5]
    place = start + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    size = 1 << (flags & 3)
    return place + size + int.from_bytes(content[place : place + size], "little")


def lookup3(data: bytes) -> int:
    """Return Jenkins' lookup3 of some bytes, the checksum of HDF5's structures (B. Jenkins, lookup3.c, 2006)."""
    a = b = c = (0xDEADBEEF + len(data)) & _WORD
    place = 0
    while len(data) - place > 12:
        x, y, z = struct.unpack_from("<III", data, place)
        a, b, c = (a + x) & _WORD, (b + y) & _WORD, (c + z) & _WORD
        a = ((a - c) ^ _turned(c, 4)) & _WORD
        c = (c + b) & _WORD
        b = ((b - a) ^ _turned(a, 6)) & _WORD
        a = (a + c) & _WORD
        c = ((c - b) ^ _turned(b, 8)) & _WORD
        b = (b + a) & _WORD
        a = ((a - c) ^ _turned(c, 16)) & _WORD
        c = (c + b) & _WORD
        b = ((b - a) ^ _turned(a, 19)) & _WORD
        a = (a + c) & _WORD
        c = ((c - b) ^ _turned(b, 4)) & _WORD
        b = (b + a) & _WORD
        place += 12
    rest = data[place:]
    if not rest:
        return c
    x, y, z = struct.unpack("<III", rest.ljust(12, b"\0"))
    a, b, c = (a + x) & _WORD, (b + y) & _WORD, (c + z) & _WORD
    c = ((c ^ b) - _turned(b, 14)) & _WORD
    a = ((a ^ c) - _turned(c, 11)) & _WORD
    b = ((b ^ a) - _turned(a, 25)) & _WORD
    c = ((c ^ b) - _turned(b, 16)) & _WORD
    a = ((a ^ c) - _turned(c, 4)) & _WORD
    b = ((b ^ a) - _turned(a, 14)) & _WORD
    return ((c ^ b) - _turned(b, 24)) & _WORD


def _turned(word: int, bits: int) -> int:
    return ((word << bits) | (word >> (32 - bits))) & _WORD


def sha256(content: bytes) -> str:
    """Return a content's SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
