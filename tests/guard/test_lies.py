"""What an HDF5 file claims of its arrays is checked before HDF5 acts on it: one lie at a time."""

import io
import os
import resource
import subprocess
import sys
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from crafted_hdf5 import (
    VALUES,
    array,
    bomb,
    content,
    contiguous_at,
    filtered,
    shuffled_by,
    with_chunk,
    with_chunk_at,
    with_empty_chunk,
)

from bdfa_np.errors import ContentError
from bdfa_np.system.hdf5 import array_in, attribute, names, opened, values
from bdfa_np.system.hdf5_storage import read_rows


def read(whole):
    """Read the array ``x``, also a packed one."""
    with opened(io.BytesIO(whole)) as file:
        found = array_in(file, "x", packed=True)
        out = np.empty(found.shape, found.dtype)
        read_rows(found, 0, out)
        return out


def refusal(whole, reading=read):
    with pytest.raises(ContentError) as caught:
        reading(whole)
    return caught.value.reason


LAYOUTS = {
    "in one piece": {},
    "in the header": None,
    "in chunks": {"chunks": (2, 6)},
    "in chunks that do not fit": {"chunks": (3, 4)},
    "with sums": {"chunks": (3, 4), "fletcher32": True},
    "deflated": {"chunks": (3, 4), "compression": "gzip"},
    "shuffled and deflated": {"chunks": (3, 4), "compression": "gzip", "shuffle": True},
    "deflated with sums": {"chunks": (3, 4), "compression": "gzip", "fletcher32": True},
    "lzf": {"chunks": (3, 4), "compression": "lzf", "shuffle": True},
    "lzf with sums": {"chunks": (3, 4), "compression": "lzf", "fletcher32": True},
    "to grow": {"chunks": (3, 4), "maxshape": (None, 6)},
    "to grow both ways": {"chunks": (3, 4), "maxshape": (None, None), "compression": "gzip"},
    "chunks larger than it": {"chunks": (100, 100), "maxshape": (None, None)},
}


@pytest.mark.parametrize("options", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("settings", [{}, {"libver": "latest"}, {"libver": ("v110", "v110")}, {"userblock_size": 512}])
def test_an_honest_array_is_read_however_it_is_laid_out(options, settings):
    def fill(file):
        if options is None:
            properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            properties.set_layout(h5py.h5d.COMPACT)
            space = h5py.h5s.create_simple((4, 6))
            made = h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32LE, space, properties)
            made.write(h5py.h5s.ALL, h5py.h5s.ALL, VALUES)
        else:
            file.create_dataset("x", data=VALUES, **options)

    np.testing.assert_array_equal(read(content(fill, **settings)), VALUES, strict=True)


@pytest.mark.parametrize("kind", ["random", "runs", "long repetitions", "zeros"])
@pytest.mark.parametrize("packer", [{"compression": "lzf"}, {"compression": "gzip", "shuffle": True}])
@pytest.mark.parametrize("fletcher32", [False, True])
def test_what_is_unpacked_here_is_what_hdf5_unpacks(kind, packer, fletcher32):
    numbers = np.random.default_rng(0)
    many = {
        "random": numbers.integers(0, 2**16, 30_000),
        "runs": np.repeat(numbers.integers(0, 9, 300), 100),
        "long repetitions": np.tile(numbers.integers(0, 2**16, 1500), 20),
        "zeros": np.zeros(30_000, int),
    }[kind].astype("u2")
    whole = array(many, chunks=(7001,), fletcher32=fletcher32, **packer)
    with h5py.File(io.BytesIO(whole)) as file:
        np.testing.assert_array_equal(file["x"][()], many)
    np.testing.assert_array_equal(read(whole), many, strict=True)


GZIP, SUMS, LZF = {"compression": "gzip"}, {"fletcher32": True}, {"compression": "lzf"}
GOOD = VALUES[2:].tobytes()
LIES = {
    "a chunk of no bytes": with_empty_chunk,
    "a chunk that is too short": lambda: with_chunk(GOOD[:-1]),
    "a chunk that is too long": lambda: with_chunk(GOOD + b"x"),
    "a chunk shorter than its sum": lambda: with_chunk(b"ab", **SUMS),
    "a chunk without its sum": lambda: with_chunk(GOOD, **SUMS),
    "a deflated chunk of no bytes": lambda: with_empty_chunk(**GZIP),
    "a deflated chunk that comes to too little": lambda: with_chunk(zlib.compress(GOOD[:-1]), **GZIP),
    "a deflated chunk that comes to too much": lambda: with_chunk(zlib.compress(GOOD + b"x"), **GZIP),
    "a deflated chunk without its end": lambda: with_chunk(zlib.compress(GOOD)[:-5], **GZIP),
    "a deflated chunk that comes to less than its sum": lambda: with_chunk(zlib.compress(b"ab"), **GZIP, **SUMS),
    "a chunk said to be not deflated": lambda: with_chunk(zlib.compress(GOOD), 1, **GZIP),
    "a short chunk said to be not deflated": lambda: with_chunk(b"ab", 1, **GZIP),
    "no deflated chunk": lambda: with_chunk(b"no zlib stream", **GZIP),
    "a chunk of no bytes and no sum": lambda: with_empty_chunk(**SUMS),
    "an lzf chunk of no bytes": lambda: with_empty_chunk(**LZF),
    "an lzf chunk that comes to too little": lambda: with_chunk(b"\x05abcdef", **LZF),
    "an lzf chunk that repeats what was not": lambda: with_chunk(b"\x00a\xff\xff\xff", **LZF),
    "an lzf chunk without its end": lambda: with_chunk(b"\x00a\xe0", **LZF),
    "a chunk at the very beginning": lambda: with_chunk_at(0),
    "a chunk beyond the end": lambda: with_chunk_at(10**6),
    "a chunk where no file reaches": lambda: with_chunk_at(2**63),
    "a chunk nowhere": lambda: with_chunk_at(2**64 - 1),
    "values beyond the end": lambda: contiguous_at(10**6),
    "values where no file reaches": lambda: contiguous_at(2**63),
    "values that were never written": lambda: content(lambda file: file.create_dataset("x", (4, 6), "f4")),
    "chunks that were never written": lambda: content(
        lambda file: file.create_dataset("x", (4, 6), "f4", chunks=(2, 6), fillvalue=7)
    ),
    "one huge chunk of a small array": lambda: content(
        lambda file: file.create_dataset("x", data=VALUES, chunks=(2**12, 2**11), maxshape=(None, None), **GZIP)
    ),
    "more chunks than bytes": lambda: content(
        lambda file: file.create_dataset("x", (2**40, 2**20), "f4", chunks=(1, 1), **GZIP)
    ),
    "a product beyond 64 bits": lambda: content(
        lambda file: file.create_dataset("x", (2**31, 2**31, 3), "u1", chunks=(1, 1, 3))
    ),
    "scale and offset": lambda: array(np.arange(24).reshape(4, 6), chunks=(2, 6), scaleoffset=0),
    "n bits": lambda: filtered(h5py.h5z.FILTER_NBIT),
    "an unknown filter": lambda: filtered(32_767),
    "shuffled by no bytes": lambda: shuffled_by(0),
    "shuffled by too many bytes": lambda: shuffled_by(2**31),
    "lzf of 4 GB": lambda: filtered(h5py.h5z.FILTER_LZF, (4, 261, 2**32 - 1)),
    "nothing": lambda: content(lambda file: file.create_dataset("x", data=h5py.Empty("f4"))),
    "a group": lambda: content(lambda file: file.create_group("x")),
    "a type": lambda: content(lambda file: file.__setitem__("x", np.dtype("f4"))),
    "texts of any length": lambda: content(lambda file: file.create_dataset("x", data=["a", "b"])),
    "rows of any length": lambda: content(lambda file: file.create_dataset("x", (2,), h5py.vlen_dtype("u1"))),
    "references": lambda: content(lambda file: file.create_dataset("x", (2,), h5py.ref_dtype)),
    "records": lambda: array(np.zeros(2, "i4,f4")),
    "opaque bytes": lambda: array(np.zeros(2, "V8")),
    "numbers of three bytes": lambda: content(odd_numbers),
    "a soft link": lambda: content(soft_link),
    "a soft link to nothing": lambda: content(lambda file: file.__setitem__("x", h5py.SoftLink("/y"))),
    "a soft link to itself": lambda: content(lambda file: file.__setitem__("x", h5py.SoftLink("/x"))),
    "an external link": lambda: content(lambda file: file.__setitem__("x", h5py.ExternalLink("/etc/passwd", "/x"))),
    "raw bytes of another file": lambda: content(
        lambda file: file.create_dataset("x", (4,), "u1", external=[("/etc/passwd", 0, 4)])
    ),
    "a view of another file": lambda: content(lambda file: view(file, "/etc/passwd")),
    "a view of this file": lambda: content(lambda file: view(file, ".")),
}


def odd_numbers(file):
    odd = h5py.h5t.STD_I32LE.copy()
    odd.set_size(3)
    made = h5py.h5d.create(file.id, b"x", odd, h5py.h5s.create_simple((4,)))
    made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(4, dtype="i4"))


def soft_link(file):
    file["y"] = VALUES
    file["x"] = h5py.SoftLink("/y")


def view(file, of):
    file["y"] = VALUES
    layout = h5py.VirtualLayout((4, 6), "f4")
    layout[:] = h5py.VirtualSource(of, "y", (4, 6))
    file.create_virtual_dataset("x", layout)


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_lie_is_refused_in_one_line(lie):
    assert "\n" not in refusal(lie())


@pytest.mark.parametrize("whole", [lambda: with_chunk(bomb(), **GZIP), lambda: with_chunk(bytes(2**20), 1, **GZIP)])
def test_a_chunk_that_would_take_far_more_than_its_share_takes_none(whole):
    whole = whole()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refusal(whole)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**14  # in KiB: 16 of 64 MiB


ATTRIBUTES = {
    "missing": lambda _: None,
    "of any length": lambda file: file.attrs.create("a", "text"),
    "nothing": lambda file: file.attrs.create("a", h5py.Empty("f4")),
    "records": lambda file: file.attrs.create("a", np.zeros(2, "i4,f4")),
    "references": lambda file: file.attrs.create("a", file.ref, dtype=h5py.ref_dtype),
}


@pytest.mark.parametrize("write", ATTRIBUTES.values(), ids=ATTRIBUTES)
def test_an_attribute_of_another_kind_is_refused(write):
    def reading(whole):
        with opened(io.BytesIO(whole)) as file:
            return attribute(file, "a")

    assert refusal(content(write), reading).startswith("its a is ")


def test_an_attribute_of_ten_gigabytes_is_refused_unread():
    def fill(file):
        # Only claimed: HDF5 gives room to an attribute of this layout when it is written.
        file.attrs.create("a", np.zeros(2**17, "u1"))

    def reading(whole):
        with opened(io.BytesIO(whole)) as file:
            return attribute(file, "a")

    assert refusal(content(fill, libver="latest"), reading) == "its a is larger than 65,536 bytes"


def test_members_without_end_are_not_all_named(monkeypatch):
    monkeypatch.setattr("bdfa_np.system.hdf5._MOST_MEMBERS", 5)
    whole = content(lambda file: [file.create_group(str(number)) for number in range(6)])

    def reading(whole):
        with opened(io.BytesIO(whole)) as file:
            return names(file)

    assert refusal(whole, reading) == "/ has more than 5 members"


def test_what_is_cut_off_is_refused_wherever_it_ends():
    whole = array(chunks=(2, 6))
    for end in range(0, len(whole), 61):
        refusal(whole[:end])


def test_a_file_that_becomes_shorter_while_it_is_read_gives_no_zeros(tmp_path):
    path = tmp_path / "x.h5"
    path.write_bytes(array())

    def read_while_it_is_cut():
        with path.open("rb", buffering=0) as raw, opened(raw) as file:
            found = array_in(file, "x")
            os.truncate(path, path.stat().st_size - 50)
            found[()]

    with pytest.raises(ContentError, match="ends too early"):
        read_while_it_is_cut()


def test_values_are_numbers_of_the_kinds_asked_for():
    with opened(io.BytesIO(array())) as file:
        np.testing.assert_array_equal(values(file, "x", "f"), VALUES)
        with pytest.raises(ContentError, match="x are float32"):
            values(file, "x", "iu")


def test_hdf5_itself_crashes_on_what_is_refused_here(tmp_path):
    """The reason for all this; where a later HDF5 reads such a chunk well, this test may go."""
    path = tmp_path / "x.h5"
    path.write_bytes(with_chunk(b"ab", **SUMS))
    code = f"import h5py; h5py.File({str(path)!r})['x'][()]"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode != 0
    assert "chunk of 2 bytes" in refusal(Path(path).read_bytes())
