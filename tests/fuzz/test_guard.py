"""The guard of readers, and what fuzzing found: whose fault it is, in one plain line."""

import errno
import gzip
import hashlib
import io
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bdfa_np.cli.outcome import one_line
from bdfa_np.data import Dataset, load_dataset
from bdfa_np.data.preprocess.pipeline import in_memory
from bdfa_np.data.readers.picture_file import decode_picture
from bdfa_np.data.recipe import Recipe
from bdfa_np.data.sources.archives import unpack
from bdfa_np.data.sources.kinds import Archive, ArchivedFile
from bdfa_np.errors import ConfigError, DataError, RunError, UserError, plain_line
from bdfa_np.options.precedence import read_options
from bdfa_np.runs.samples import read_files
from bdfa_np.system.reading import guarded, opened, parsed_toml, read_toml

SYSTEM = (errno.EACCES, errno.EPERM, errno.EIO, errno.ENOLCK, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.ENOMEM)
DAMAGED = (
    OSError("image file is truncated"),  # as Pillow has it: without a number
    OSError(errno.EINVAL, "Invalid argument"),  # from a place before the file's beginning
    gzip.BadGzipFile("CRC check failed"),
    zlib.error("Error -3"),
    lzma.LZMAError("Corrupt input data"),
    zipfile.BadZipFile("bad magic"),
    tarfile.ReadError("empty file"),
    struct.error("unpack requires"),
    EOFError("it ended"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    RecursionError("too deep"),
    OverflowError("too large"),
    NotImplementedError("that compression method is not supported"),
    SyntaxError("broken PNG file"),
    AssertionError(),
    ValueError("'a' is none of \"b\""),
    Image.DecompressionBombError("too many pixels"),
)


@pytest.mark.parametrize("kind", [DataError, RunError, ConfigError])
@pytest.mark.parametrize("code", SYSTEM, ids=errno.errorcode.get)
def test_what_the_system_refuses_is_no_damage(kind, code):
    with pytest.raises(kind) as caught, guarded(Path("a.png"), kind, "is damaged ({}): restore it"):
        raise OSError(code, os.strerror(code))
    start = f"a.png: cannot be read: {os.strerror(code)}: "
    assert str(caught.value).startswith(start)
    assert len(str(caught.value)) > len(start)


@pytest.mark.parametrize("error", DAMAGED, ids=lambda error: type(error).__name__)
def test_what_a_decoder_raises_is_damage_with_its_reason_and_what_to_do(error):
    with pytest.raises(DataError) as caught, guarded(Path("a.png"), DataError, "is damaged ({}): restore it"):
        raise error
    assert str(caught.value) == f"a.png: is damaged ({str(error) or type(error).__name__}): restore it"
    assert caught.value.__cause__ is error


def test_lack_of_memory_and_an_error_of_ours_are_neither_and_ctrl_c_goes_through():
    for raised, found, message in (
        (MemoryError("Unable to allocate"), DataError, "a: cannot be read: there is not enough memory"),
        (ConfigError("ours"), ConfigError, "ours"),
        (KeyboardInterrupt(), KeyboardInterrupt, ""),
    ):
        with pytest.raises(found) as caught, guarded("a", DataError, "is damaged ({})"):
            raise raised
        assert str(caught.value).startswith(message)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX's")
@pytest.mark.parametrize(
    "read",
    [
        lambda path: opened(path, DataError).__enter__(),
        lambda path: read_toml(path, ConfigError, f"--config {path}"),
        read_options,
        lambda path: read_files([path.with_suffix(".npz")], preprocessing(), invert=False, note=print),
        lambda path: load_dataset(path.with_suffix(".csv"), test_fraction=0.5),
    ],
    ids=["opened", "TOML", "--config", "predict", "table"],
)
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_a_pipe_is_not_waited_for(read, make, tmp_path):
    for suffix in (".toml", ".npz", ".csv"):
        make(tmp_path / f"a{suffix}")
    with pytest.raises(UserError) as caught:
        read(tmp_path / "a.toml")
    wanted = ("is a folder or a device", "holds no")  # a folder of a table's name is one of images
    assert any(words in str(caught.value) for words in wanted)


def preprocessing():
    """Return what a net of 2 x 2 grey pixels does to them."""
    images, labels = np.arange(16, dtype=np.uint8).reshape(4, 2, 2, 1), [0, 1, 0, 1]
    data = Dataset.from_arrays(images, labels, images, labels)
    return in_memory(Recipe("./own.npz"), data).preprocessing


def test_a_message_is_one_line_that_a_terminal_cannot_obey():
    error = DataError("a\x1b[2J\nb\x00: \u202e\udcff" + "x" * 10**6 + ": do this")
    for line in (str(error), one_line(error, "bdfa")):
        assert line.isprintable()
        assert line.startswith(r"a\x1b[2J b\x00: \u202e\udcffxxx")
        assert line.endswith("xxx: do this")
        assert len(line) < 2000
    assert len(str(DataError("\0" * 10**5))) < 2000
    assert plain_line("naïve 東京 ·") == "naïve 東京 ·"


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
@pytest.mark.parametrize("place", [0, 12, 40, 100, -30, -6])
def test_an_archive_that_cannot_be_unpacked_is_one_line_though_its_sum_be_right(suffix, place, tmp_path):
    stream = io.BytesIO()
    if suffix == ".zip":
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("inner/a.bin", os.urandom(200))
    else:
        with tarfile.open(fileobj=stream, mode="w:gz") as archive:
            info = tarfile.TarInfo("inner/a.bin")
            info.size = 200
            archive.addfile(info, io.BytesIO(os.urandom(200)))
    content = bytearray(stream.getvalue())
    content[place : place + 5 if place + 5 else None] = b"\xff" * 5
    path = tmp_path / f"packed{suffix}"
    path.write_bytes(content)
    described = Archive(
        path.name, hashlib.sha256(content).hexdigest(), (), "inner", (ArchivedFile("a.bin", 200, None),)
    )
    try:
        unpack(described, path, ["a.bin"], tmp_path / "out")
    except DataError as error:
        assert str(error).startswith(f"{path}: its content is damaged (")  # noqa: PT017
    assert not list(tmp_path.glob("out/.*"))


def test_no_more_is_asked_of_a_file_than_it_has(tmp_path):
    (tmp_path / "a").write_bytes(b"abcdef")
    with opened(tmp_path / "a", DataError) as file:
        assert file.read(2**62) == b"abcdef"  # for which Python takes the memory first
        file.seek(2)
        assert [file.read(1), file.read(None), file.read()] == [b"c", b"def", b""]


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED])
def test_samples_that_cannot_be_unpacked_are_one_line(method, tmp_path):
    stream, array = io.BytesIO(), io.BytesIO()
    np.save(array, np.zeros((3, 2, 2), np.uint8))
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr("x.npy", array.getvalue())
    content = bytearray(stream.getvalue())
    content[40:44] = b"\xff" * 4
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"x\.npz: (not a readable \.npz file|x is packed in an unusual way)"):
        read_files([tmp_path / "x.npz"], preprocessing(), invert=False, note=print)


@pytest.mark.parametrize("depth", [50, 150, 2000])
def test_a_header_that_nests_without_end_is_damage_and_no_lack_of_memory(depth, tmp_path):
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': " + "(" * depth + ")" * depth + "}\n"
    npy = b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode()
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", npy)
        archive.writestr("y.npy", npy)
    with pytest.raises(DataError, match=r"not a readable \.npz file"):
        load_dataset(tmp_path / "x.npz", test_fraction=0.5)


def test_samples_are_not_unpacked_into_more_memory_than_there_is(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros((500, 2, 2), np.uint8))
    monkeypatch.setattr("bdfa_np.runs.samples.beyond_memory", lambda nbytes: f"need {nbytes} bytes")
    with pytest.raises(DataError, match=r"x\.npz: its arrays need 2000 bytes: store fewer"):
        read_files([tmp_path / "x.npz"], preprocessing(), invert=False, note=print)


@pytest.mark.parametrize("samples", [np.array(["a", "b"]), np.zeros((2, 2, 2), complex), np.zeros((2, 2, 2), "M8[s]")])
def test_samples_that_are_no_numbers_are_refused(samples, tmp_path):
    np.savez(tmp_path / "x.npz", x=samples)
    with pytest.raises(DataError, match="they must be numbers"):
        read_files([tmp_path / "x.npz"], preprocessing(), invert=False, note=print)


@pytest.mark.parametrize(("kind", "options"), [("BMP", {}), ("WEBP", {"lossless": True})])
def test_a_picture_that_claims_more_pixels_than_its_bytes_can_hold_is_not_decoded(kind, options, monkeypatch):
    stream = io.BytesIO()
    Image.new("L", (9000, 9000), 1).save(stream, kind, **options)
    monkeypatch.setattr("bdfa_np.data.readers.picture_file._decoded", None)  # calling it is an error of another kind
    with pytest.raises(DataError, match="a: claims 9000 x 9000 pixels, more than"):
        decode_picture(Path("a"), bytearray(stream.getvalue()[:5000]))


def test_a_blank_page_of_bits_is_read_however_well_it_is_packed():
    stream = io.BytesIO()
    Image.new("1", (4960, 7016), 1).save(stream, "PNG")
    assert decode_picture(Path("a"), bytearray(stream.getvalue())).pixels.shape == (7016, 4960, 1)


def test_a_key_of_many_parts_is_refused_before_it_takes_a_minute_and_texts_may_have_dots():
    with pytest.raises(ValueError, match=r"a key of more than 64 parts \(at line 2\)"):
        parsed_toml("a = 1\n" + "a." * 40_000 + "b = 1\n")
    with pytest.raises(ValueError, match="a key of more than 64 parts"):
        parsed_toml("[" + '"a".' * 40_000 + "b]\n")
    text = f'"{"a." * 70}" = "{"b." * 70}"\nc = [\n  "{"d." * 70}",\n]\n'
    assert parsed_toml(text) == {"a." * 70: "b." * 70, "c": ["d." * 70]}


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_labels_may_be_floats_of_any_size(dtype):
    x = np.zeros((4, 2), np.float32)
    assert Dataset.from_arrays(x, np.array([0, 1, 0, 1], dtype), x, np.array([0, 1, 0, 1], dtype)).class_names == (
        "0",
        "1",
    )
    with pytest.raises(DataError, match="inf at index 1 is not a whole number"):
        Dataset.from_arrays(x, np.array([0, np.inf, 0, 1], dtype), x, np.zeros(4, int))
