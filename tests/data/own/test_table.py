"""Tables: what a ``.csv`` file may look like, and what is said of each that cannot be used."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bdfa_np.data import Dataset, load_dataset
from bdfa_np.data.readers import own_table
from bdfa_np.data.sources.find import find_source, is_own
from bdfa_np.errors import ConfigError, DataError

SMALL = "a,b,kind\n1,2.5,cat\n3,-4e2,dog\n5,6,cat\n7,8,dog\n"
NUMBERS = np.array([[1, 2.5], [3, -400], [5, 6], [7, 8]], np.float32)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | bytes], Path]:
    def write(content: str | bytes) -> Path:
        (tmp_path / "pets.csv").write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path / "pets.csv"

    return write


def rows(path: Path, **options: Any) -> tuple[np.ndarray, list[str]]:
    """All rows in the table's order, with the names of their classes."""
    whole = find_source(path, **options).read_whole()
    x, y = whole.parts["train"]
    assert list(whole.parts) == ["train"]
    return x, [whole.class_names[code] for code in y]


def refusal(path: Path, kind: type[Exception] = DataError, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        load_dataset(path, **{"test_fraction": 0.5, **options})
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


def assert_small(path: Path, **options: Any) -> None:
    x, labels = rows(path, **options)
    np.testing.assert_array_equal(x, NUMBERS, strict=True)
    assert labels == ["cat", "dog", "cat", "dog"]


def test_a_table_is_numbers_and_a_last_column_of_words(write):
    path = write(SMALL)
    assert_small(path)
    data = load_dataset(path, test_fraction=0.5)
    assert isinstance(data, Dataset)
    assert (data.name, data.class_names, data.input_shape) == ("pets", ("cat", "dog"), (2,))
    truth = {"pets.csv": hashlib.sha256(SMALL.encode()).hexdigest()}
    assert data.checksums == truth
    assert find_source(path).checksums() == truth


@pytest.mark.parametrize(
    "text",
    [
        SMALL.replace(",", ";"),
        SMALL.replace(",", "\t"),
        SMALL.replace(",", "|"),
        SMALL.replace("\n", "\r\n"),
        SMALL.replace("\n", "\r"),
        "\ufeff" + SMALL,
        "\ufeff" + SMALL.replace(",", ";").replace("\n", "\r\n"),
        SMALL.rstrip("\n"),
        SMALL.replace("\n", "\n\n") + "\n\n",
        SMALL.replace(",", " , "),
        SMALL.replace("cat", '"cat"').replace("a,b", '"a","b"').replace("2.5", '"2.5"'),
    ],
    ids=["semicolons", "tabs", "strokes", "CRLF", "CR", "BOM", "Excel", "no end", "empty lines", "spaces", "quotes"],
)
def test_tables_of_every_origin_are_read(write, text):
    assert_small(write(text))


@pytest.mark.parametrize("text", ["kind,a,b\ncat,1,2.5\ndog,3,-4e2\ncat,5,6\ndog,7,8\n"])
def test_the_labels_may_stand_in_any_column_that_is_named(write, text):
    path = write(text)
    assert_small(path, label="kind")
    line = refusal(path)
    assert line.startswith("line 2, column 'kind': 'cat' is no number: ")
    assert line.endswith("if it is the label, add --label kind")
    assert_small(write("\ufeff" + text), label="kind")


def test_quoted_labels_may_hold_anything_printable(write):
    _, labels = rows(write('a,b\n1,"Öl, warm"\n2,"say ""hi"""\n3,"Öl, warm"\n4,class 1\n'))
    assert labels == ["Öl, warm", 'say "hi"', "Öl, warm", "class 1"]


@pytest.mark.parametrize(
    ("written", "names"),
    [
        (["0", "1", "2"], ("0", "1", "2")),
        (["10", "9", "-1"], ("-1", "9", "10")),
        (["0.000e+00", "1.0", "2"], ("0", "1", "2")),
        (["3", "5", "x"], ("3", "5", "x")),
        (["1", "2", "7"], ("1", "2", "7")),
        (["True", "False", "True"], ("False", "True")),
    ],
)
def test_the_classes_are_the_labels_that_occur_numbers_by_value(write, written, names):
    whole = find_source(write("a,y\n" + "".join(f"{row},{label}\n" for row, label in enumerate(2 * written))))
    whole = whole.read_whole()
    assert whole.class_names == names
    assert whole.notes == ()


def test_columns_that_are_counted_as_pandas_does_are_names(write):
    x, _ = rows(write("0,1,2,label\n5,6,7,a\n8,9,10,b\n5,5,5,b\n"))
    assert x.shape == (3, 3)


def test_more_rows_than_are_converted_at_once_are_read(write):
    numbers = np.random.default_rng(0).normal(size=(2500, 3))
    text = "a,b,c,y\n" + "".join(f"{a!r},{b!r},{c!r},{i % 3}\n" for i, (a, b, c) in enumerate(numbers.tolist()))
    x, labels = rows(write(text))
    np.testing.assert_array_equal(x, numbers.astype(np.float32), strict=True)
    assert labels == [str(i % 3) for i in range(2500)]


def test_a_fraction_of_a_table_is_tested_on(flowers):
    data = load_dataset(flowers, test_fraction=0.2, seed=3)
    assert np.bincount(data.test_labels).tolist() == [4, 4, 4]
    assert np.bincount(data.train_labels).tolist() == [16, 16, 16]
    assert np.bincount(data.train_labels[-9:], minlength=3).min() > 0
    assert not np.array_equal(data.test_images, load_dataset(flowers, test_fraction=0.2).test_images)
    assert "has no test part: add --test-fraction 0.2" in refusal(flowers, test_fraction=None)


def replaced(number: int, line: str) -> str:
    lines = SMALL.splitlines()
    lines[number - 1] = line
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "its first line makes one column: "),
        ("kind\ncat\ndog\n", "its first line makes one column: "),
        (SMALL.partition("\n")[2], "its first line holds numbers, no names of columns: "),
        ("4,5,6\n1,2,3\n", "its first line holds numbers, no names of columns: "),
        ("0,1,cat\n1,1,dog\n", "its first line holds numbers, no names of columns: "),
        ("a,b,kind\n", "holds no rows under its line of names"),
        (",a,b,kind\n0,1,2,cat\n", "column 1 of the first line has no name: "),
        ("a,b,kind,\n1,2,cat,\n", "column 4 of the first line has no name: "),
        (replaced(4, "5,cat"), "line 4 has 2 cells where the first line has 3 names: "),
        (replaced(3, "5,6,cat,9"), "line 3 has 4 cells where the first line has 3 names: "),
        (replaced(4, "5,,cat"), "line 4, column 'b': a number is missing (''): "),
        (replaced(4, "NA,6,cat"), "line 4, column 'a': a number is missing ('NA'): "),
        (replaced(4, "nan,6,cat"), "line 4, column 'a': a number is missing ('nan'): "),
        (replaced(4, "?,6,cat"), "line 4, column 'a': a number is missing ('?'): "),
        (replaced(5, "7,inf,dog"), "line 5, column 'b': 'inf' is beyond the numbers of float32: "),
        (replaced(5, "7,1e39,dog"), "line 5, column 'b': '1e39' is beyond the numbers of float32: "),
        (replaced(5, "7,-nan,dog"), "line 5, column 'b': '-nan' is beyond the numbers of float32: "),
        (replaced(5, "7,-1e400,dog"), "line 5, column 'b': '-1e400' is beyond the numbers of float32: "),
        (replaced(2, "red,2,cat"), "line 2, column 'a': 'red' is no number: "),
        (replaced(2, "1_000,2,cat"), "line 2, column 'a': '1_000' is no number: "),
        (SMALL.replace(",", ";").replace(".", ","), "line 2, column 'b': '2,5' has a decimal comma: "),
        (replaced(3, "1,2,"), "line 3 has no label in the column 'kind': "),
        (SMALL.replace("dog", "cat"), "column 'kind': the number of classes is 1: "),
        (SMALL.replace("cat", "0.5").replace("dog", "1"), "column 'kind' holds '0.5', which is no class: "),
        ("a,id\n1,1\n2,2\n3,3\n", "column 'id' holds a label of its own in each of the 3 rows: "),
        (replaced(3, '1,2,"cat'), "near line 5: unexpected end of data: "),
        (replaced(3, f"1,2,{'x' * 200_000}"), "near line 3: field larger than field limit"),
        ("x" * 200_000, "its first line is too long"),
        (replaced(2, "1,2,c\x1b[2Jat"), "column 'kind': the class name 'c\\x1b[2Jat' cannot be printed"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_by_line_and_column(write, text, told):
    assert refusal(write(text)).startswith(told)


def test_a_cell_of_any_length_makes_a_line_that_can_be_read(write):
    assert len(refusal(write(replaced(3, f"1,{'x' * 100_000},cat")))) < 300


def test_text_in_another_encoding_is_refused_with_advice_that_works(write):
    text = "a,b\n1,Bär\n2,Öl\n3,Bär\n4,Öl\n"
    for encoding in ("latin-1", "utf-16"):
        line = refusal(write(text.encode(encoding)))
        assert line.startswith("is not UTF-8 text")
        assert line.endswith("save it as 'CSV UTF-8'")
    assert rows(write(text.encode("utf-8-sig")))[1] == ["Bär", "Öl"] * 2


def test_a_column_that_is_not_there_is_refused_with_those_that_are(write):
    path = write(SMALL)
    assert refusal(path, label="colour") == "has no column 'colour' for --label: choose one of a, b, kind"
    assert refusal(write("a,a,b\n1,2,3\n"), label="a").startswith("has two columns 'a' for --label")
    names = ",".join(f"c{number}" for number in range(30))
    assert refusal(write(f"{names}\n"), label="colour").endswith("c18, c19 and 10 more")


@pytest.mark.parametrize("dataset", ["mnist", "pets.npz", Path("pets")])
def test_a_column_has_no_part_in_what_is_no_table(dataset):
    with pytest.raises(ConfigError, match=r"--label has no part in .*, which is no table \(\.csv\): leave it out"):
        find_source(dataset, label="kind")


def test_a_published_data_set_is_not_divided():
    with pytest.raises(ConfigError, match="--test-fraction has no part in mnist, which has test images of its own"):
        find_source("mnist", test_fraction=0.2)


def test_a_table_is_known_by_its_ending_in_any_case(write):
    path = write(SMALL).rename(Path(write(SMALL)).with_name("PETS.CSV"))
    assert is_own("PETS.CSV")
    assert find_source(path).name == "PETS"
    assert_small(path)


def test_a_table_that_changes_while_it_is_read_is_refused(write, monkeypatch):
    path = write(SMALL)
    convert = own_table._block

    def changing(*arguments: Any) -> Any:
        with path.open("a") as file:
            file.write("9,9,cat\n")
        return convert(*arguments)

    monkeypatch.setattr(own_table, "_block", changing)
    assert refusal(path) == "changed while it was read: try again"


def test_a_table_larger_than_the_memory_is_refused(write, monkeypatch):
    monkeypatch.setattr("bdfa_np.system.memory.physical_memory", lambda: 2 * NUMBERS.nbytes - 1)
    assert "its 2 columns need" in refusal(write(SMALL))
    monkeypatch.setattr("bdfa_np.system.memory.physical_memory", lambda: 2 * NUMBERS.nbytes)
    assert_small(write(SMALL))


def test_a_table_that_is_not_there_is_named(tmp_path):
    assert refusal(tmp_path / "none.csv").startswith("cannot be read: No such file or directory")


def test_a_folder_called_like_a_table_is_read_as_a_folder(tmp_path):
    (tmp_path / "pets.csv").mkdir()
    with pytest.raises(DataError) as caught:
        load_dataset(tmp_path / "pets.csv", test_fraction=0.2)
    assert "column" not in str(caught.value)
