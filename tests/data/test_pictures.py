"""Contact sheets, and images beside their whitened versions."""

import numpy as np
import pytest
from PIL import Image

from bdfa_np.data.pictures import before_and_after, contact_sheet, save
from bdfa_np.errors import DataError

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def plain(*colours, size=48):
    """Return images of one colour each."""
    return np.array(colours, np.uint8).reshape(len(colours), 1, 1, 3).repeat(size, 1).repeat(size, 2)


def cells(sheet, rows, columns, size=48, gap=4):
    """Return the colour in the middle of each cell, counted from the sheet's right and bottom edge."""
    pixels = np.asarray(sheet)
    left = sheet.width - columns * (size + gap) + size // 2
    top = gap + size // 2
    return [
        [tuple(pixels[top + row * (size + gap), left + column * (size + gap)].tolist()) for column in range(columns)]
        for row in range(rows)
    ]


def test_a_contact_sheet_has_a_row_a_class_and_its_first_images_in_order():
    images = plain(RED, GREEN, BLUE, GREEN, RED)
    sheet = contact_sheet(images, np.array([1, 0, 1, 0, 1]), ("a", "b"), columns=3)
    white = (255, 255, 255)
    assert cells(sheet, 2, 3) == [[GREEN, GREEN, white], [RED, BLUE, RED]]


def test_small_images_are_enlarged_by_whole_pixels():
    images = np.zeros((1, 2, 2, 1), np.uint8)
    images[0, 0, 1] = 255
    sheet = np.asarray(contact_sheet(images, np.zeros(1, int), ("a",), columns=1))
    tile = sheet[4:52, -52:-4, 0]
    expected = np.kron([[0, 255], [0, 0]], np.ones((24, 24)))
    np.testing.assert_array_equal(tile, expected)


def test_of_many_classes_as_many_are_drawn_as_there_are_rows_evenly_chosen():
    images = np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1).repeat(48, 1).repeat(48, 2)
    sheet = contact_sheet(images, np.arange(100), [str(i) for i in range(100)], columns=1, rows=12)
    assert [row[0][0] for row in cells(sheet, 12, 1)] == [0, 9, 18, 27, 36, 45, 54, 63, 72, 81, 90, 99]


def test_floating_point_images_are_stretched_to_the_full_contrast_without_their_outliers():
    values = np.linspace(-3, 5, 48 * 48).reshape(1, 48, 48, 1)
    values[0, 0, 0] = 1e6
    tile = np.asarray(contact_sheet(values, np.zeros(1, int), ("a",), columns=1))[4:52, -52:-4, 0]
    assert (tile[0, 1], tile[-1, -1], tile[0, 0]) == (0, 255, 255)
    assert 120 < tile[24, 0] < 136


def test_images_without_contrast_are_drawn_too():
    sheet = before_and_after(plain(GREEN), np.full((1, 48, 48, 3), 7.0))
    assert cells(sheet, 2, 1) == [[GREEN], [(0, 0, 0)]]


def test_whitened_images_stand_below_the_images_they_come_from():
    after = np.stack([np.linspace(0, 1, 48 * 48 * 3), np.linspace(1, 0, 48 * 48 * 3)]).reshape(2, 48, 48, 3)
    sheet = before_and_after(plain(RED, BLUE), after)
    first, second = cells(sheet, 2, 2)
    assert first == [RED, BLUE]
    assert all(120 < value < 140 for colour in second for value in colour)


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31mred", "日本", "n" * 500, ""])
def test_any_class_name_is_drawn_within_bounds(name):
    sheet = contact_sheet(plain(RED), np.zeros(1, int), (name,))
    assert sheet.width < 1000


@pytest.mark.parametrize("shape", [(4, 7), (4, 3, 3, 2), (4, 3, 3, 4)])
def test_samples_that_are_no_images_are_refused(shape):
    with pytest.raises(DataError, match="cannot be drawn: they must be images of one or three channels"):
        contact_sheet(np.zeros(shape), np.zeros(4, int), ("a",))


def test_a_picture_replaces_a_file_in_one_step(tmp_path):
    path = tmp_path / "picture.png"
    path.write_text("old")
    save(before_and_after(plain(RED), plain(BLUE)), path)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert cells(picture, 2, 1) == [[RED], [BLUE]]
    assert list(tmp_path.iterdir()) == [path]
