"""Contact sheets, and images beside their whitened versions."""

import re

import numpy as np
import pytest
from PIL import Image

from bdfa_np.data import lettering, pictures
from bdfa_np.data.pictures import before_and_after, captioned, contact_sheet, save
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
    sheet = before_and_after(plain(GREEN), np.zeros((1, 48, 48, 3)))
    assert cells(sheet, 2, 1) == [[GREEN], [(128, 128, 128)]]
    assert cells(contact_sheet(np.full((1, 48, 48, 3), 7.0), np.zeros(1, int), ("a",), columns=1), 1, 1) == [
        [(0, 0, 0)]
    ]


def test_whitened_images_stand_below_the_images_they_come_from():
    after = np.stack([np.linspace(-1, 1, 48 * 48 * 3), np.linspace(1, -1, 48 * 48 * 3)]).reshape(2, 48, 48, 3)
    sheet = before_and_after(plain(RED, BLUE), after)
    first, second = cells(sheet, 2, 2)
    assert first == [RED, BLUE]
    assert all(120 < value < 140 for colour in second for value in colour)


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31mred", "日本", "n" * 500, ""])
def test_any_class_name_is_drawn_within_bounds(name):
    sheet = contact_sheet(plain(RED), np.zeros(1, int), (name,))
    assert sheet.width < 1000


@pytest.fixture
def written(monkeypatch):
    """Give the list of all texts that are drawn, each with the box that it takes."""
    texts = []
    text = pictures.ImageDraw.ImageDraw.text

    def noted(pen, place, said, *arguments, **options):
        texts.append((said, pen.textbbox(place, said, lettering.font(), anchor=options.get("anchor"))))
        text(pen, place, said, *arguments, **options)

    monkeypatch.setattr(pictures.ImageDraw.ImageDraw, "text", noted)
    return texts


def test_of_whitened_images_grey_is_0_and_the_signs_are_dark_and_light():
    after = np.zeros((1, 48, 48, 1))
    after[0, :24], after[0, 24:, :24] = 3, -3
    tile = np.asarray(before_and_after(plain(RED)[..., :1], after))[-52:-4, -52:-4, 0]
    assert (tile[0, 0], tile[-1, 0], tile[-1, -1]) == (255, 0, 128)


def test_a_sheet_with_a_title_says_what_is_drawn_and_what_black_and_white_are(written):
    sheet = contact_sheet(plain(RED, BLUE), np.array([0, 1]), ("a", "b"), columns=3, title="two: 2 samples")
    assert [text for text, _ in written] == [
        *("a", "b", "two: 2 samples", "The first 3 images of each class. Black is 0, white 255."),
    ]
    assert all(left >= 0 and right <= sheet.width and bottom <= sheet.height for _, (left, _, right, bottom) in written)
    written.clear()
    contact_sheet(
        np.linspace(-2, 2, 48 * 48 * 30).reshape(30, 48, 48, 1),
        np.arange(30),
        list("abcdefghijklmnopqrstuvwxyzABCD"),
        title="t",
    )
    assert "The first 10 images of 20 of 30 classes." in " ".join(text for text, _ in written)
    assert "Black is -1.99 or less, white 1.99 or more." in " ".join(text for text, _ in written)
    written.clear()
    before_and_after(plain(RED), np.full((1, 48, 48, 3), -2.0), title="t", captions=["ship"])
    said = " ".join(text for text, _ in written)
    assert "images whitened ship t" in said
    assert "Whitened: black is -2 or less, grey 0, white 2 or more." in said


def test_a_long_name_has_an_ellipsis_and_none_is_cut_without(written):
    sheet = contact_sheet(plain(RED), np.zeros(1, int), ("m" * 250 + "n" * 250,))
    ((name, (left, _, right, _)),) = written
    assert re.fullmatch("m{7,}…n{7,}", name)  # its middle: many names begin alike
    assert left >= 0
    assert right < sheet.width - 10 * 52
    written.clear()
    captioned(plain(RED, BLUE), ["m" * 90, "short"])
    assert [text[-1] for text, _ in written] == ["…", "t"]
    assert written[0][1][2] < written[1][1][0]


def test_a_name_that_the_font_has_no_letters_for_is_its_number_and_it_says_so(written):
    assert lettering.legible(["cat", "日本", "Ж", "a\nb"]) == (["cat", "class 1", "class 2", "class 3"], True)
    assert lettering.legible(["cat", "dog's"]) == (["cat", "dog's"], False)
    contact_sheet(plain(RED, BLUE), np.array([0, 1]), ("a", "日本"), title="日本")
    texts = [text for text, _ in written]
    assert texts[1:3] == ["class 1", "??"]
    assert lettering.REPLACED in " ".join(texts)
    written.clear()
    captioned(plain(RED), ["日 0.50"])
    assert next(text for text, _ in written) == "? 0.50"
    assert lettering.UNKNOWN in " ".join(text for text, _ in written)


def test_lines_are_broken_between_words_within_their_room():
    lines = lettering.broken("some words of a title that is too long for its picture " + "x" * 100, 120)
    assert len(lines) > 3
    assert all(lettering.width(line) <= 120 for line in lines)
    assert lettering.broken("", 120) == [""]


@pytest.mark.parametrize("shape", [(4, 7), (4, 3, 3, 2), (4, 3, 3, 4)])
def test_samples_that_are_no_images_are_refused(shape):
    with pytest.raises(DataError, match="cannot be drawn: they must be images of one or three channels"):
        contact_sheet(np.zeros(shape), np.zeros(4, int), ("a",))


def test_a_picture_replaces_a_file_in_one_step(tmp_path):
    path = tmp_path / "picture.png"
    path.write_text("old")
    save(contact_sheet(plain(RED, BLUE), np.array([0, 1]), "ab", columns=1), path)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert cells(picture, 2, 1) == [[RED], [BLUE]]
    assert list(tmp_path.iterdir()) == [path]
