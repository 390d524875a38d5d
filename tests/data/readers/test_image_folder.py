"""The reader of folders of images, on files that Pillow wrote or that were written byte by byte."""

import contextlib
import hashlib
import io
import os
import struct
import subprocess
import sys
import tempfile
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from bdfa_np.data import load_dataset
from bdfa_np.data.preprocess.resizing import resize_images
from bdfa_np.data.readers import picture_file
from bdfa_np.data.sources.find import find_source
from bdfa_np.errors import DataError

GREY = np.random.default_rng(0).integers(0, 256, (4, 5), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (4, 5, 3), dtype=np.uint8)


def encoded(image, kind="PNG", **options):
    """Return the file of an image, or of an array of pixels."""
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **options)
    return file.getvalue()


def exif_orientation(number):
    exif = Image.Exif()
    exif[0x0112] = number
    return exif


def png(width, height, depth, kind, rows, *more):
    """Return a PNG file as its specification lays it out; ``rows`` have their filter bytes."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    chunks = (b"IHDR" + header, *more, b"IDAT" + zlib.compress(rows), b"IEND")
    parts = (struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


PNG, JPEG = encoded(COLOUR), encoded(COLOUR, "JPEG")
EXIF_JPEG = encoded(COLOUR, "JPEG", exif=exif_orientation(1))


class Folder:
    """A folder of images with two classes, an image each in both parts, all of them alike."""

    def __init__(self, path, content=PNG, name="1.png"):
        self.path = path
        for kind in ("train/cat", "train/dog", "test/cat", "test/dog"):
            self.write(f"{kind}/{name}", content)

    def write(self, name, content):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def load(self, **options):
        return load_dataset(self.path, **options)

    def refusal(self, **options):
        """Return the message of the refusal, which must be one line that begins with a path."""
        with pytest.raises(DataError) as caught:
            self.load(**options)
        message = str(caught.value)
        assert len(message.splitlines()) == 1
        assert message.startswith(str(self.path))
        return message.removeprefix(f"{self.path}{os.sep}")


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "pets.v2")


def pixels_of(tmp_path, content, name="1.png"):
    """Return the pixels of the first of four such images."""
    images = Folder(tmp_path / "alike", content, name).load().train_images
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images[0], images[1])
    return images[0]


def test_images_come_class_by_class_in_the_order_of_their_names(folder):
    names = ("dog/1", "dog/10", "dog/2", "cat/1", "cat/b", "cat/B", "ant/x")
    for value, name in enumerate(names):
        folder.write(f"train/{name}.png", encoded(np.full((4, 5, 3), value, np.uint8)))
    dataset = folder.load()
    assert dataset.class_names == ("ant", "cat", "dog")
    assert dataset.train_images[:, 0, 0, 0].tolist() == [6, 3, 5, 4, 0, 1, 2]
    assert dataset.train_labels.tolist() == [0, 1, 1, 1, 2, 2, 2]
    assert dataset.test_labels.tolist() == [1, 2]
    np.testing.assert_array_equal(dataset.test_images, [COLOUR, COLOUR])


def test_the_data_set_is_called_as_the_folder_even_from_within_it(folder, monkeypatch):
    assert folder.load().name == "pets.v2"
    monkeypatch.chdir(folder.path)
    dataset = load_dataset(Path())
    assert dataset.name == "pets.v2"
    assert dataset.checksums == find_source(Path()).checksums() == find_source(folder.path).checksums()


def test_classes_may_be_missing_from_the_test_set_or_be_empty_there_but_not_all(folder):
    folder.write("train/emu/1.png", PNG)
    replace(folder.path / "test/dog", "folder")
    dataset = folder.load()
    assert dataset.class_names == ("cat", "dog", "emu")
    assert (dataset.train_labels.tolist(), dataset.test_labels.tolist()) == ([0, 1, 2], [0])
    replace(folder.path / "test/cat", "folder")
    assert folder.refusal().startswith("test: holds no images")


@pytest.mark.parametrize(
    "name", ["2.PNG", "2.jpg", "2.JPG", "2.jpeg", "2.JpEg", "2.x.png", "2.webp", "2.bmp", "2.TIF", "2.tiff"]
)
def test_images_are_known_by_their_endings_in_any_case(folder, name):
    folder.write(f"train/cat/{name}", PNG)
    assert folder.load().train_labels.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    "name",
    ["train/cat/.2.png", "train/cat/._1.png", "train/cat/2.gif", "train/cat/png", "train/cat/2.png.txt", "train/notes",
     "train/.hidden/2.png", "test/.DS_Store", "train/cat/.thumbnails/1.png", "notes", "more/a/1.png"],
)  # fmt: skip
def test_hidden_files_and_those_of_other_kinds_are_ignored(folder, name):
    before = folder.load()
    folder.write(name, b"something else")
    dataset = folder.load()
    assert dataset.train_labels.tolist() == [0, 1]
    assert dataset.class_names == ("cat", "dog")
    assert dataset.checksums == before.checksums == find_source(folder.path).checksums()
    assert before.notes == ()
    assert len(dataset.notes) == 1


def test_what_is_left_out_is_counted_in_notes(folder):
    names = ("train/cat/a.txt", "test/dog/b.TXT", "train/c.txt", "train/cat/1.gif", "train/cat/.DS_Store",
             "train/cat/.thumbnails/1.png", "notes", "valid/cat/1.png", "old/1.png")  # fmt: skip
    for name in names:
        folder.write(name, b"")
    assert folder.load().notes == find_source(folder.path).notes() == (
        "7 files left out: 3 .txt, 2 hidden, 1 .gif, 1 without an ending",
        "the folder 'old' left out: train and test are read",
        "the folder 'valid' left out: train and test are read",
    )  # fmt: skip


def test_an_ending_that_cannot_be_shown_is_counted_without_it(folder):
    folder.write("train/cat/1.a\nb", b"")
    folder.write("wei\nrd/1.png", b"")
    assert folder.load().notes == (
        "1 file left out: 1 without an ending",
        "the folder 'wei\\nrd' left out: train and test are read",
    )


def test_what_was_done_to_images_is_summed_up_in_notes(folder):
    see_through = np.concatenate([COLOUR, GREY[..., np.newaxis]], axis=-1)
    for name in ("train/cat/2.png", "train/dog/2.png", "test/cat/1.png"):
        folder.write(name, encoded(see_through))
    folder.write("test/dog/1.png", encoded(np.full((4, 5, 4), [255, 255, 255, 90], np.uint8)))
    folder.write("train/cat/3.png", encoded(GREY.astype(np.uint16) * 257))
    dataset = folder.load()
    assert dataset.notes == (
        "3 images with transparent pixels, put on white: train/cat/2.png, ...",
        "1 image of one colour once put on white: test/dog/1.png",
        "1 image of 16 bits, of which the upper 8 are kept: train/cat/3.png",
    )
    np.testing.assert_array_equal(dataset.train_images[1], dataset.test_images[0])


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "JPEG"])
def test_images_of_all_kinds_may_lie_together_whatever_their_names(folder, kind):
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    folder.write("train/dog/1.png", encoded(np.full_like(COLOUR, 90), kind, **options))
    assert folder.load().train_images[1].tolist() == np.full_like(COLOUR, 90).tolist()


INDEXED = (3, 1, 8, 3, b"\0\1\0\2", b"PLTE" + bytes([10, 20, 30, 40, 50, 60, 70, 80, 90]))
INDEXED_COLOURS = [[[40, 50, 60], [10, 20, 30], [70, 80, 90]]]
LOSSLESS = {
    "L": (encoded(GREY), GREY),
    "L and tRNS": (encoded(GREY, transparency=7), GREY),
    "1": (encoded(Image.fromarray(GREY > 127)), np.where(GREY > 127, 255, 0)),
    "2 bits": (png(5, 1, 2, 0, b"\0\x1b\x80"), [[0, 85, 170, 255, 170]]),
    "LA": (encoded(np.stack([GREY, np.full_like(GREY, 255)], axis=-1)), GREY),
    "16 bits": (encoded(GREY.astype(np.uint16) * 257), GREY),
    "16 bits by hand": (png(2, 1, 16, 0, b"\0\x12\xff\xfe\x00"), [[0x12, 0xFE]]),
    "RGB": (PNG, COLOUR),
    "RGB and tRNS": (encoded(COLOUR, transparency=(1, 2, 3)), COLOUR),
    "RGBA": (encoded(np.concatenate([COLOUR, np.full((4, 5, 1), 255, np.uint8)], axis=-1)), COLOUR),
    "RGB of 16 bits": (png(1, 1, 16, 2, b"\0\x12\xff\x34\x00\xfe\x80"), [[[0x12, 0x34, 0xFE]]]),
    "LA of 16 bits": (png(1, 1, 16, 4, b"\0\x12\xff\xff\xff"), [[[0x12] * 3]]),  # Pillow opens them as RGBA
    "RGB and broken EXIF": (encoded(COLOUR, exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0"), COLOUR),
    "animated": (encoded(Image.fromarray(COLOUR), save_all=True, append_images=[Image.new("RGB", (5, 4))]), COLOUR),
    "P": (png(*INDEXED), INDEXED_COLOURS),
    "P and opacities": (png(*INDEXED, b"tRNS\xff\xff"), INDEXED_COLOURS),
}


@pytest.mark.parametrize("mode", LOSSLESS)
def test_grey_pngs_have_one_channel_of_eight_bits_and_all_others_three(tmp_path, mode):
    content, expected = LOSSLESS[mode]
    height, width, *_ = np.shape(expected)
    np.testing.assert_array_equal(pixels_of(tmp_path, content), np.reshape(expected, (height, width, -1)))


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 90, [90]), ("RGB", (200, 30, 60), [200, 30, 60]), ("CMYK", (0, 0, 0, 0), [255, 255, 255]),
        ("CMYK", (255, 0, 0, 0), [0, 255, 255]), ("CMYK", (0, 255, 255, 128), [127, 0, 0]),
    ],
)  # fmt: skip
def test_a_jpeg_of_one_colour_has_it_in_whatever_mode(tmp_path, mode, colour, expected):
    pixels = pixels_of(tmp_path, encoded(Image.new(mode, (9, 8), colour), "JPEG", quality=95), "1.jpg")
    assert pixels.shape == (8, 9, len(expected))
    assert abs(pixels - np.array(expected, float)).max() <= 3


# What the EXIF specification says of the orientations: where the first row and the first column are.
UPRIGHT = {
    1: GREY, 2: GREY[:, ::-1], 3: GREY[::-1, ::-1], 4: GREY[::-1],
    5: GREY.T, 6: GREY[::-1].T, 7: GREY[::-1, ::-1].T, 8: GREY[:, ::-1].T,
}  # fmt: skip


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_images_are_turned_upright(tmp_path, orientation):
    content = encoded(GREY, exif=exif_orientation(orientation))
    np.testing.assert_array_equal(pixels_of(tmp_path, content)[..., 0], UPRIGHT[orientation])


@pytest.mark.parametrize("name", ["train/cat/1.png", "train/dog/1.png", "test/dog/1.png"])
def test_one_image_in_colour_gives_three_channels_to_all(tmp_path, name):
    folder = Folder(tmp_path / "pets", encoded(GREY))
    folder.write(name, PNG)
    dataset = folder.load()
    for part, images in (("train", dataset.train_images), ("test", dataset.test_images)):
        for kind, pixels in zip(("cat", "dog"), images, strict=True):
            expected = COLOUR if f"{part}/{kind}/1.png" == name else np.stack(3 * [GREY], axis=-1)
            np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("name", ["train/dog/1.png", "test/cat/1.png"])
def test_images_of_different_sizes_are_refused_with_both_and_advice(folder, name):
    folder.write(name, encoded(COLOUR[:, :4]))
    first = folder.path / "train/cat/1.png"
    advice = "make all images of one size, or choose one with --resize N"
    assert folder.refusal() == f"{name}: is 4 x 4 pixels, but {first} is 5 x 4: {advice}"


@pytest.mark.parametrize("size", [4, 7])
def test_images_of_different_sizes_are_scaled_one_by_one_as_they_are_read(folder, size):
    folder.write("train/dog/1.png", encoded(GREY[:3]))
    dataset = folder.load(resize=size)
    assert dataset.input_shape == (size, size, 3)
    [cat], [dog] = (resize_images(image[np.newaxis], size) for image in (COLOUR, np.stack(3 * [GREY[:3]], axis=-1)))
    np.testing.assert_array_equal(dataset.train_images, [cat, dog])
    np.testing.assert_array_equal(dataset.test_images, [cat, cat])
    assert dataset.checksums == folder.load(resize=9).checksums == find_source(folder.path).checksums()


NO_IMAGE = "is not a PNG, JPEG, WebP, BMP or TIFF image"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", NO_IMAGE), (b"a text, not an image\n", NO_IMAGE),
        (encoded(COLOUR, "GIF"), NO_IMAGE), (encoded(COLOUR, "PPM"), NO_IMAGE),
        (PNG[:-10], "cannot"), (JPEG[:-30], "cannot"), (png(5, 40, 8, 2, b""), "cannot"),
        (png(9500, 9500, 8, 2, b""), "bomb"), (png(30_000, 30_000, 8, 2, b""), "bomb"), (PNG + bytes(999), "larger"),
    ],
    ids=["empty", "text", "GIF", "PPM", "cut PNG", "cut JPEG", "too few pixels", "large", "very large", "long"],
)  # fmt: skip
def test_a_file_that_is_no_good_image_is_refused_by_name(folder, monkeypatch, content, reason):
    monkeypatch.setattr(picture_file, "_LARGEST_FILE", 999)
    folder.write("train/dog/1.png", content)
    message = folder.refusal()
    assert message.startswith("train/dog/1.png: ")
    assert reason in message
    assert message.endswith(": remove it, or put a good copy in its place")


@pytest.mark.parametrize("grey", ["train/cat/1.png", "test/dog/1.png"])
def test_images_beyond_the_machines_memory_are_refused(folder, monkeypatch, grey):
    folder.write(grey, encoded(GREY))  # of grey images all would fit
    monkeypatch.setattr("bdfa_np.system.memory.physical_memory", lambda: 4 * 4 * 5 * 3)
    folder.load()
    monkeypatch.setattr("bdfa_np.system.memory.physical_memory", lambda: 4 * 4 * 5 * 3 - 1)
    assert "4 images of 5 x 4 pixels need 0.0 GB of memory" in folder.refusal()


def test_the_images_take_memory_once(tmp_path):
    folder = Folder(tmp_path / "pets", encoded(np.zeros((250, 250, 3), np.uint8)))
    for number in range(50):
        folder.write(f"train/cat/{number}.png", (folder.path / "train/dog/1.png").read_bytes())
    tracemalloc.start()
    dataset = folder.load()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.2 * (dataset.train_images.nbytes + dataset.test_images.nbytes)


def replace(path, kind):
    path.rename(path.with_name(f".{path.name}"))
    if kind == "file":
        path.write_bytes(PNG)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "pipe":
        os.mkfifo(path)


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("train", "nothing", "train: cannot be read: No such file"),
        ("train", "file", "train: cannot be read: Not a directory"),
        ("train", "folder", "train: holds no folders"),
        ("test", "nothing", "test: cannot be read: No such file"),
        ("test/dog", "loop", "test/dog: cannot be read: Too many levels"),
        (
            "train/dog",
            "folder",
            "train/dog: holds no images: put PNG, JPEG, WebP, BMP or TIFF files into it, or remove it",
        ),
        ("train/dog/1.png", "folder", "train/dog/1.png: is a folder in that of a class"),
        ("train/dog/1.png", "loop", "train/dog/1.png: cannot be read: Too many levels"),
        ("train/dog/1.png", "pipe", "train/dog/1.png: is a folder or a device"),
    ],
)
def test_something_else_in_place_of_a_folder_or_file_is_refused(folder, name, kind, message):
    replace(folder.path / name, kind)
    assert folder.refusal().startswith(message)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("test/emu/1.png", "test: has the class 'emu', which"),
        ("train/1.png", "train/1.png: lies outside the folders of the classes"),
        ("train/c\nt/1.png", "train: the class name 'c\\nt' cannot be printed"),
        ("test/c\nt/1.png", "test: has the class 'c\\nt', which"),
        (b"train/caf\xe9/1.png", "train: the class name 'caf\\udce9' cannot be printed"),
        (b"train/cat/caf\xe9.png", r"train/cat/caf\udce9.png: is not a PNG, JPEG, WebP, BMP or TIFF image"),
    ],
)
def test_an_image_in_a_wrong_place_or_without_a_printable_class_is_refused(folder, name, message):
    folder.write(os.fsdecode(name), b"")
    assert folder.refusal().startswith(message)


@pytest.mark.parametrize("name", ["train", "test/dog", "train/cat/1.png"])
def test_what_must_not_be_read_is_refused(name):
    with tempfile.TemporaryDirectory() as public:  # pytest's own are closed to all but one
        os.chmod(public, 0o755)
        path = Folder(Path(public) / "pets").path / name
        path.chmod(0)
        # Only a child can give up root, whom no permission keeps from reading.
        script = (
            "import os, pathlib\nfrom bdfa_np.data import load_dataset\nfrom bdfa_np.data.readers import image_folder\n"
            f"os.getuid() or os.setuid(65534)\nload_dataset(pathlib.Path({public!r}, 'pets'))"
        )
        child = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=False)
        path.chmod(0o755)
    error = f"bdfa_np.errors.DataError: {path}: cannot be read: Permission denied"
    assert child.stderr.splitlines()[-1].startswith(error)


def test_the_checksum_is_of_the_sorted_names_and_contents_without_the_folders_own_name(folder):
    sha256 = hashlib.sha256(PNG).hexdigest()
    names = ("train/cat/1.png", "train/dog/1.png", "test/cat/1.png", "test/dog/1.png")
    text = "".join(f"{name}\0{sha256}\n" for name in names)
    expected = {"pets.v2/": hashlib.sha256(text.encode()).hexdigest()}
    assert find_source(folder.path).checksums() == folder.load().checksums == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [("cat/2.png", "cat/3.png"), ("cat/2.png", "cat/2.txt"), ("cat/2.png", "dog/2.png"), ("emu", "eel"),
     ("cat/2.png", "../test/cat/2.png"), ("notes", "cat/0.jpg"), ("notes", b"cat/caf\xe9.png")],
)  # fmt: skip
def test_the_checksum_changes_when_an_image_or_class_is_renamed_moved_added_or_removed(folder, old, new):
    for name in ("cat/2.png", "emu/1.png", "notes"):
        folder.write(f"train/{name}", PNG)
    before = find_source(folder.path).checksums()
    (folder.path / "train" / old).rename(folder.path / "train" / os.fsdecode(new))
    assert folder.load().checksums == find_source(folder.path).checksums() != before


def test_the_checksum_needs_no_decoding_and_changes_with_every_byte(folder):
    found = {tuple(find_source(folder.path).checksums().values())}
    for content in (PNG + b"\0", b"no image", b"no imagf", b""):
        folder.write("test/dog/1.png", content)
        found.add(tuple(find_source(folder.path).checksums().values()))
    assert len(found) == 5


def test_what_is_decoded_is_what_the_checksum_is_of(folder, monkeypatch):
    flipped = encoded(COLOUR[::-1])
    with monkeypatch.context() as patch:  # opened another time, a file may have changed
        patch.setattr(picture_file, "open_data_file", lambda _: contextlib.nullcontext(io.BytesIO(flipped)))
        dataset = folder.load()
    np.testing.assert_array_equal(dataset.train_images[0], COLOUR[::-1])
    assert dataset.checksums == find_source(Folder(folder.path, flipped).path).checksums()


@pytest.mark.parametrize("progress", [False, True])
def test_progress_is_drawn_on_standard_error_if_wanted(folder, capfd, monkeypatch, progress):
    monkeypatch.setenv("FORCE_COLOR", "1")  # on a terminal alone there is a bar
    folder.load(progress=progress)
    out, err = capfd.readouterr()
    assert out == ""
    assert ("reading pets.v2" in err and "4/4" in err) if progress else err == ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(st.sampled_from([PNG, JPEG, EXIF_JPEG]), st.integers(0), st.integers(0, 255), st.integers(0, 700))
def test_damaged_images_are_refused_or_read(folder, content, place, value, cut):
    damaged = bytearray(content)
    damaged[place % len(content)] = value
    folder.write("train/dog/1.png", damaged[: len(content) - cut] if cut < 100 else damaged)
    try:
        dataset = folder.load()
    except DataError:
        assert folder.refusal().startswith("train/dog/1.png: ")
        return
    assert dataset.train_images.shape == (2, 4, 5, 3)
    np.testing.assert_array_equal(dataset.train_images[0], COLOUR)
    if content is PNG:  # which has checksums
        np.testing.assert_array_equal(dataset.train_images[1], COLOUR)
