"""Raw tables as CSV: written and read again they are the same, and one that is damaged is refused in a line."""

import csv

import pytest

from bdfa_np.errors import RunError
from bdfa_np.report.markdown.cells import cells_of
from bdfa_np.report.markdown.raw import RawTables, is_raw

LABELS = [
    "a, b",
    'in "quotes"',
    "two\nlines",
    "a | b",
    "ü 漢字 🙂",
    "=1+1",
    "@SUM(A1)",
    " blank ",
    "{{ 7 * 7 }}",
    "it's",
    "#",
]


@pytest.fixture
def folder(tables, tmp_path):
    tables.write(tmp_path / "tables")
    return tmp_path / "tables"


def test_tables_are_the_same_when_they_are_read_again(tables, folder):
    assert RawTables.read(folder) == tables
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    RawTables.read(folder).write(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert sorted(before) == ["cells.csv", "epochs.csv", "layers.csv", "runs.csv"]
    assert b"\r" not in b"".join(before.values())


@pytest.mark.parametrize("label", LABELS)
def test_a_label_stays_as_it_is_whatever_it_holds(tmp_path, label):
    cells = [
        {"study": label, "cell": label, "seeds": 1, "note": label, f"axis.{label}": label, f"option.{label}": label}
    ]
    runs = [{"cell": label, "seed": 0, "state": "failed", "why": label, "epochs": 0, "planned_epochs": 2}]
    tables = RawTables.of(cells=cells, runs=runs, epochs=[], layers=[])
    tables.write(tmp_path)
    again = RawTables.read(tmp_path)
    assert again == tables
    (cell,) = cells_of(again)
    assert (cell.name, cell.note, cell[label], cell.options) == (label, label, label, {label: label})
    with (tmp_path / "runs.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["why"] == label


def test_numbers_keep_every_digit_and_what_is_not_there_is_empty(tmp_path):
    value = 0.1 + 0.2
    runs = [
        {"cell": "a", "seed": 0, "state": "finished", "epochs": 0, "planned_epochs": 1, "last": value, "best": 1e-17},
        {"cell": "a", "seed": 1, "state": "missing", "epochs": 0, "planned_epochs": 1, "numpy": "2.0"},
    ]
    tables = RawTables.of(cells=[{"study": "s", "cell": "a", "seeds": 2}], runs=runs, epochs=[], layers=[])
    tables.write(tmp_path)
    one, other = RawTables.read(tmp_path).runs
    assert (float(one["last"]), float(one["best"]), one["numpy"]) == (value, 1e-17, "")
    assert (other["last"], other["numpy"]) == ("", "2.0")
    assert list(one) == list(other)


def change(file, old, new):
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


DAMAGES = {
    "a file is not there": (
        lambda f: (f / "epochs.csv").unlink(),
        "epochs.csv cannot be read as a table (No such file",
    ),
    "a file is a folder": (
        lambda f: ((f / "epochs.csv").unlink(), (f / "epochs.csv").mkdir()),
        "epochs.csv cannot be read as a table (Is a directory)",
    ),
    "a file is empty": (lambda f: (f / "cells.csv").write_text(""), "cells.csv has no column study"),
    "no cell": (
        lambda f: (f / "cells.csv").write_text((f / "cells.csv").read_text().splitlines()[0] + "\n"),
        "cells.csv has no cell",
    ),
    "cut in a line": (
        lambda f: (f / "runs.csv").write_bytes((f / "runs.csv").read_bytes()[:-30]),
        "runs.csv, row 12: it has not as many columns as the first",
    ),
    "cut in quotes": (
        lambda f: (f / "cells.csv").write_text((f / "cells.csv").read_text() + '"large/f'),
        "cells.csv cannot be read as a table (unexpected end of data)",
    ),
    "cut between runs": (
        lambda f: (f / "runs.csv").write_text("\n".join((f / "runs.csv").read_text().splitlines()[:-1]) + "\n"),
        "runs.csv has 1 of 2 runs of large/frozen",
    ),
    "cut between epochs": (
        lambda f: (f / "epochs.csv").write_text("\n".join((f / "epochs.csv").read_text().splitlines()[:-1]) + "\n"),
        "epochs.csv has no epoch 2 of large/frozen, seed 0",
    ),
    "a column is not there": (lambda f: change(f / "runs.csv", ",last,", ",least,"), "runs.csv has no column last"),
    "a column too many": (
        lambda f: change(f / "runs.csv", "\nsmall/bp,0,", "\nsmall/bp,0,0,"),
        "runs.csv, row 1: it has not as many columns",
    ),
    "no number": (lambda f: change(f / "runs.csv", ",2.0,", ",two,"), "runs.csv, row 1: last is 'two', and no number"),
    "no number of a layer": (
        lambda f: change(f / "layers.csv", "linear1,60.0", "linear1,60.0°"),
        "layers.csv, row 1: angle is '60.0°', and no number",
    ),
    "no seed": (lambda f: change(f / "epochs.csv", "small/bp,0,", "small/bp,,"), "epochs.csv, row 1: seed is ''"),
    "binary": (lambda f: (f / "layers.csv").write_bytes(bytes(range(256))), "layers.csv cannot be read as a table"),
    "zero bytes": (lambda f: (f / "layers.csv").write_bytes(b"\0" * 100), "layers.csv has no column cell"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_tables_are_refused_with_the_file_and_what_to_do(folder, damage):
    harm, message = DAMAGES[damage]
    harm(folder)
    with pytest.raises(RunError) as caught:
        RawTables.read(folder)
    told = str(caught.value)
    assert message in told
    assert "anew from the" in told
    assert "\n" not in told


def test_a_folder_with_a_table_is_one_of_tables_unless_it_is_a_studys_own(folder, tmp_path):
    assert is_raw(folder)
    assert not is_raw(tmp_path)
    (folder / "cells.csv").unlink()
    assert is_raw(folder)  # which lacks a table, and says so
    (folder / "study.toml").write_text("")
    assert not is_raw(folder)
