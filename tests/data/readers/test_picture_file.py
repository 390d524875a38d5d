"""The reader of one picture, on files that Pillow wrote or that were written byte by byte."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from bdfa_np.data.readers.picture_file import Remark, decode_picture, read_picture, summary
from bdfa_np.errors import DataError

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (6, 5), dtype=np.uint8)
COLOUR = RANDOM.integers(0, 256, (6, 5, 3), dtype=np.uint8)
ALPHA = RANDOM.integers(0, 256, (6, 5, 1), dtype=np.uint8)
ALPHA[0, :2, 0] = 0, 255


def encoded(image, kind, **options):
    """Return the file of an image, or of an array of pixels."""
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **options)
    return file.getvalue()


def png(width, height, depth, kind, rows, *more):
    """Return a PNG file as its specification lays it out; ``rows`` have their filter bytes."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    chunks = (b"IHDR" + header, *more, b"IDAT" + zlib.compress(rows), b"IEND")
    parts = (struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(values, bits, *, order="<", white_is_zero=False, sample_format=1):
    """Return a TIFF file of one strip of grey values as its specification lays it out."""
    height, width = values.shape
    if bits == 12:
        pairs = values.reshape(height, -1, 2).astype(int)
        first, second = pairs[..., 0], pairs[..., 1]
        packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=-1).astype(np.uint8)
        strip = packed.tobytes()
    else:
        strip = values.astype(f"{order}u{bits // 8}").tobytes()
    entries = [
        (256, width), (257, height), (258, bits), (259, 1), (262, 0 if white_is_zero else 1), (273, 8),
        (277, 1), (278, height), (279, len(strip)), (339, sample_format),
    ]  # fmt: skip
    directory = struct.pack(f"{order}H", len(entries))
    for tag, value in entries:
        directory += struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0)
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(f"{order}I", 8 + len(strip)) + strip + directory + bytes(4)


def decoded(content):
    """Return the pixels and remarks of a picture."""
    picture = decode_picture("a.png", bytearray(content))
    assert picture.pixels.dtype == np.uint8
    return picture.pixels, picture.remarks


def refusal(content):
    """Return the message of the refusal, which must be one line that names the file."""
    with pytest.raises(DataError) as caught:
        decode_picture("a.png", bytearray(content))
    message = str(caught.value)
    assert message.startswith("a.png: ")
    assert len(message.splitlines()) == 1
    return message


def on_white(pixels, alpha):
    """Return what a picture over white paper looks like, computed in real numbers."""
    opacity = alpha / 255
    return np.rint(opacity * pixels + (1 - opacity) * 255)


OPAQUE = {
    "BMP": (encoded(COLOUR, "BMP"), COLOUR),
    "grey BMP": (encoded(GREY, "BMP"), GREY),
    "black and white BMP": (encoded(Image.fromarray(GREY > 127), "BMP"), np.where(GREY > 127, 255, 0)),
    "TIFF": (encoded(COLOUR, "TIFF"), COLOUR),
    "grey TIFF": (encoded(GREY, "TIFF", compression="tiff_lzw"), GREY),
    "grey TIFF, white is 0": (tiff(255 - GREY, 8, white_is_zero=True), GREY),
    "TIFF of a fax": (encoded(Image.fromarray(GREY > 127), "TIFF", compression="group4"), np.where(GREY > 127, 255, 0)),
    "TIFF of JPEG's compression": (encoded(np.full((6, 5), 77, np.uint8), "TIFF", compression="jpeg"), [[77] * 5] * 6),
    "WebP": (encoded(COLOUR, "WEBP", lossless=True), COLOUR),
    "WebP with a useless opacity": (
        encoded(np.concatenate([COLOUR, np.full((6, 5, 1), 255, np.uint8)], axis=-1), "WEBP", lossless=True),
        COLOUR,
    ),
}


@pytest.mark.parametrize("kind", OPAQUE)
def test_pixels_are_those_that_were_written(kind):
    content, expected = OPAQUE[kind]
    pixels, remarks = decoded(content)
    np.testing.assert_array_equal(pixels, np.reshape(expected, (6, 5, -1)))
    assert remarks == ()


def test_a_lossy_webp_is_nearly_what_was_written():
    pixels, remarks = decoded(encoded(Image.new("RGB", (9, 8), (200, 30, 60)), "WEBP", quality=95))
    assert pixels.shape == (8, 9, 3)
    assert abs(pixels - np.array([200.0, 30, 60])).max() <= 4
    assert remarks == ()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["TIFF", "WEBP", "PNG", "JPEG"])
def test_pictures_are_turned_upright(kind, orientation):
    # What the EXIF specification says of the orientations: where the first row and the first column are.
    upright = (GREY, GREY[:, ::-1], GREY[::-1, ::-1], GREY[::-1], GREY.T, GREY[::-1].T, GREY[::-1, ::-1].T,
               GREY[:, ::-1].T)  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "JPEG" else {}
    pixels, _ = decoded(encoded(GREY, kind, exif=exif, **options))
    assert pixels.shape[:2] == upright[orientation - 1].shape
    tolerance = 12 if kind == "JPEG" else 0
    assert abs(pixels[..., 0].astype(int) - upright[orientation - 1]).max() <= tolerance


PALETTE = (3, 1, 8, 3, b"\0\1\0\2", b"PLTE" + bytes([10, 20, 30, 40, 50, 60, 70, 80, 90]))
PALETTE_COLOURS = np.array([[[40, 50, 60], [10, 20, 30], [70, 80, 90]]])
GREY_3D = GREY[..., np.newaxis]
TRANSPARENT = {
    "LA": (encoded(np.concatenate([GREY_3D, ALPHA], axis=-1), "PNG"), GREY_3D, ALPHA),
    "RGBA": (encoded(np.concatenate([COLOUR, ALPHA], axis=-1), "PNG"), COLOUR, ALPHA),
    "RGBA TIFF": (encoded(np.concatenate([COLOUR, ALPHA], axis=-1), "TIFF"), COLOUR, ALPHA),
    "LA TIFF": (encoded(np.concatenate([GREY_3D, ALPHA], axis=-1), "TIFF"), GREY_3D, ALPHA),
    "RGBA WebP": (
        encoded(np.concatenate([COLOUR, ALPHA], axis=-1), "WEBP", lossless=True, exact=True),
        COLOUR,
        ALPHA,
    ),
    "L and a transparent value": (encoded(GREY, "PNG", transparency=int(GREY[2, 3])), GREY_3D,
                                  np.where(np.equal(GREY_3D, GREY[2, 3]), 0, 255)),
    "RGB and a transparent colour": (encoded(COLOUR, "PNG", transparency=tuple(map(int, COLOUR[2, 3]))), COLOUR,
                                     np.where(np.equal(COLOUR, COLOUR[2, 3]).all(axis=-1, keepdims=True), 0, 255)),
    "a transparent index": (png(*PALETTE, b"tRNS\xff\0"), PALETTE_COLOURS, np.array([[[0], [255], [255]]])),
    "opacities of indices": (png(*PALETTE, b"tRNS\x00\x80\xf0"), PALETTE_COLOURS, np.array([[[0x80], [0], [0xF0]]])),
    "LA by hand": (png(1, 2, 8, 4, b"\0\x12\x00\0\x34\xff"), np.array([[[0x12]], [[0x34]]]),
                   np.array([[[0]], [[255]]])),
    "16 bits and a transparent value": (png(2, 1, 16, 0, b"\0\x12\xff\x12\xfe", b"tRNS\x12\xff"),
                                        np.array([[[0x12], [0x12]]]), np.array([[[0], [255]]])),
    "1 bit and a transparent value": (png(8, 1, 1, 0, b"\0\x0f", b"tRNS\0\0"),
                                      np.repeat([[[0], [255]]], 4, axis=1), np.repeat([[[0], [255]]], 4, axis=1)),
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(TRANSPARENT.keys() - {"1 bit and a transparent value"}))
def test_transparent_pixels_are_put_on_white_and_that_is_remarked(kind):
    content, pixels, alpha = TRANSPARENT[kind]
    found, remarks = decoded(content)
    np.testing.assert_array_equal(found, on_white(pixels, alpha))
    assert Remark.ON_WHITE in remarks


def test_what_is_put_on_white_is_what_pillow_composes():
    content = encoded(np.concatenate([COLOUR, ALPHA], axis=-1), "PNG")
    over = Image.alpha_composite(Image.new("RGBA", (5, 6), "white"), Image.open(io.BytesIO(content)))
    assert abs(decoded(content)[0].astype(int) - np.asarray(over)[..., :3]).max() <= 1


def test_dark_ink_on_transparent_paper_stays_dark_on_white():
    ink = np.zeros((6, 5, 2), np.uint8)
    ink[2:4, 1:3, 1] = 255
    pixels, _ = decoded(encoded(ink, "PNG"))
    np.testing.assert_array_equal(pixels[..., 0], np.where(ink[..., 1] == 255, 0, 255))


@pytest.mark.parametrize("ink", [255, 0])
def test_a_picture_of_which_nothing_is_left_on_white_is_remarked(ink):
    pixels = np.full((6, 5, 2), ink, np.uint8)
    pixels[..., 1] = ALPHA[..., 0] if ink else 0
    assert decoded(encoded(pixels, "PNG"))[1] == (Remark.NOTHING_LEFT,)
    found, remarks = decoded(TRANSPARENT["1 bit and a transparent value"][0])
    assert (found == 255).all()
    assert remarks == (Remark.NOTHING_LEFT,)


def test_a_value_of_an_opaque_picture_may_be_called_transparent_and_not_occur():
    pixels = np.maximum(GREY, 1)
    found, remarks = decoded(encoded(pixels, "PNG", transparency=0))
    np.testing.assert_array_equal(found[..., 0], pixels)
    assert remarks == ()


WIDE = RANDOM.integers(0, 2**16, (6, 4))
DEEP = {
    "PNG": encoded(WIDE.astype(np.uint16), "PNG"),
    "TIFF": encoded(WIDE.astype(np.uint16), "TIFF"),
    "little-endian TIFF": tiff(WIDE, 16),
    "big-endian TIFF": tiff(WIDE, 16, order=">"),
    "TIFF, white is 0": tiff(65535 - WIDE, 16, white_is_zero=True),
    "TIFF of 12 bits": tiff(WIDE >> 4, 12),
}


@pytest.mark.parametrize("kind", DEEP)
def test_of_16_bits_the_upper_8_are_kept_and_that_is_remarked(kind):
    pixels, remarks = decoded(DEEP[kind])
    np.testing.assert_array_equal(pixels[..., 0], WIDE >> 8)
    assert remarks == (Remark.SIXTEEN_BITS,)


@pytest.mark.parametrize("orientation", [3, 6])
@pytest.mark.parametrize("order", ["<", ">"])
def test_pictures_of_16_bits_are_turned_upright(order, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.open(io.BytesIO(tiff(WIDE, 16, order=order)))
    pixels, _ = decoded(encoded(image, "TIFF", exif=exif))
    expected = WIDE[::-1, ::-1] if orientation == 3 else WIDE[::-1].T
    np.testing.assert_array_equal(pixels[..., 0], expected >> 8)


def test_16_bits_of_which_few_are_used_are_remarked_as_nearly_black():
    assert decoded(encoded((WIDE >> 4).astype(np.uint16), "PNG"))[1] == (Remark.DARK,)
    assert decoded(encoded(np.zeros((6, 4), np.uint16), "PNG"))[1] == (Remark.SIXTEEN_BITS,)


@pytest.mark.parametrize("content", [
    encoded(WIDE.astype(np.float32), "TIFF"), encoded(WIDE.astype(np.int32), "TIFF"), tiff(WIDE, 16, sample_format=2),
])  # fmt: skip
def test_values_without_a_known_range_are_refused(content):
    assert "its values have no range that is known" in refusal(content)
    assert refusal(content).endswith("save it with 8 bits")


@pytest.mark.parametrize("kind", ["TIFF", "WEBP", "PNG"])
def test_of_several_frames_or_pages_the_first_is_read_and_that_is_remarked(kind):
    frames = [Image.fromarray(COLOUR[::-1]), Image.fromarray(COLOUR[:, ::-1])]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(COLOUR, kind, save_all=True, append_images=frames, **options)
    pixels, remarks = decoded(content)
    np.testing.assert_array_equal(pixels, COLOUR)
    assert remarks == (Remark.FIRST_FRAME,)


def test_a_photograph_with_a_preview_is_one_picture():
    content = encoded(np.full((6, 5, 3), 90, np.uint8), "MPO", save_all=True, append_images=[Image.new("RGB", (2, 2))])
    pixels, remarks = decoded(content)
    np.testing.assert_array_equal(pixels, np.full((6, 5, 3), 90))
    assert remarks == ()


NOISE = RANDOM.integers(0, 256, (40, 30, 3), dtype=np.uint8)
FILES = {
    "BMP": encoded(NOISE, "BMP"),
    "TIFF": encoded(NOISE, "TIFF"),
    "packed TIFF": encoded(NOISE, "TIFF", compression="tiff_lzw"),
    "WebP": encoded(NOISE, "WEBP", lossless=True),
    "lossy WebP": encoded(NOISE, "WEBP"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_breaks_off_is_refused(kind):
    content = FILES[kind]
    for length in (0, 10, len(content) // 2):
        assert refusal(content[:length]).endswith(": remove it, or put a good copy in its place")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(st.sampled_from(sorted(FILES)), st.integers(0), st.integers(0, 255), st.integers(0, 300))
def test_damaged_files_are_refused_or_read(kind, place, value, cut):
    content = bytearray(FILES[kind])
    content[place % len(content)] = value
    content = content[: len(content) - cut] if cut < 100 else content
    try:
        pixels, _ = decoded(content)
    except DataError:
        refusal(content)
        return
    assert pixels.ndim == 3
    assert pixels.shape[2] in (1, 3)


@pytest.fixture
def save(tmp_path):
    """Give the function that writes a picture's file."""

    def write(pixels, name="a.png"):
        (tmp_path / name).write_bytes(encoded(pixels, "PNG"))
        return tmp_path / name

    return write


def test_a_picture_is_read_in_grey_or_in_colour_as_wanted(save):
    np.testing.assert_array_equal(read_picture(save(GREY), 1), GREY_3D)
    np.testing.assert_array_equal(read_picture(save(GREY), 3), np.repeat(GREY_3D, 3, axis=2))
    np.testing.assert_array_equal(read_picture(save(COLOUR), 3), COLOUR)
    luma = COLOUR @ [0.299, 0.587, 0.114]
    grey = read_picture(save(COLOUR), 1)
    assert grey.shape == (6, 5, 1)
    assert abs(grey[..., 0] - luma).max() <= 0.51


def test_grey_that_was_saved_in_colour_is_the_grey_that_it_was(save):
    np.testing.assert_array_equal(read_picture(save(np.repeat(GREY_3D, 3, axis=2)), 1), GREY_3D)


def test_what_was_done_to_a_picture_is_told_and_summed_up(save):
    remarks = []
    read_picture(save(np.concatenate([COLOUR, ALPHA], axis=-1)), 3, remarks.append)
    assert remarks == [Remark.ON_WHITE]
    assert summary({Remark.SIXTEEN_BITS: ["b.png"], Remark.ON_WHITE: ["c.png", "a.png"], Remark.DARK: []}) == (
        "2 images with transparent pixels, put on white: c.png, ...",
        "1 image of 16 bits, of which the upper 8 are kept: b.png",
    )


def test_neither_two_channels_nor_what_is_no_picture_can_be_read(save, tmp_path):
    with pytest.raises(DataError, match=r"a\.png: a picture has one channel or three, and 2 are wanted"):
        read_picture(save(GREY), 2)
    with pytest.raises(DataError, match="is a folder or a device"):
        read_picture(tmp_path, 1)
    with pytest.raises(DataError, match="No such file"):
        read_picture(tmp_path / "absent.png", 1)
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(DataError, match="is not a PNG, JPEG, WebP, BMP or TIFF image"):
        read_picture(tmp_path / "text.png", 1)
