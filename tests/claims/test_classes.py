"""What labels claim of classes is compared with what the data hold, whichever way they come in."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from bdfa_np import train
from bdfa_np.cli.confusion import class_errors, matrix
from bdfa_np.data import Dataset
from bdfa_np.data.checks import check_classes, class_notes
from bdfa_np.data.labels import as_classes
from bdfa_np.errors import DataError, UserError
from bdfa_np.metrics import ConfusionMatrix

OPTIONS = {"num_hidden": 3, "epochs": 1, "threads": 1, "backend": "numpy", "progress": False}


def images(labels: Any, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (len(labels), 3, 3, 1), np.uint8)


def npz(folder: Path, y: Any, test_y: Any) -> Any:
    np.savez(folder / "own.npz", x_train=images(y), y_train=y, x_test=images(test_y, 1), y_test=test_y)
    return folder / "own.npz"


def h5(folder: Path, y: Any, test_y: Any) -> Any:
    with h5py.File(folder / "own.h5", "w") as file:
        for name, values in (("train", y), ("test", test_y)):
            values = np.asarray(values)  # noqa: PLW2901
            file[f"x_{name}"] = images(values)
            file[f"y_{name}"] = np.char.encode(values) if values.dtype.kind == "U" else values
    return folder / "own.h5"


def arrays(_: Path, y: Any, test_y: Any) -> Any:
    return images(y), y, images(test_y, 1), test_y


def data_set(_: Path, y: Any, test_y: Any) -> Any:
    return Dataset.from_arrays(images(y), y, images(test_y, 1), test_y)


def folder_of_images(folder: Path, y: Any, test_y: Any) -> Any:
    for part, labels in (("train", y), ("test", test_y)):
        for number, (label, image) in enumerate(zip(labels, images(labels), strict=True)):
            place = folder / "own" / part / str(label)
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[..., 0]).save(place / f"{number}.png")
    return folder / "own"


def table(folder: Path, y: Any, test_y: Any) -> Any:
    """Return a table, which has no parts: of every class one is tested on."""
    labels = [*y, *test_y]
    rows = np.random.default_rng(0).normal(size=(len(labels), 2))
    lines = [f"{a:.4f},{b:.4f},{label}" for (a, b), label in zip(rows, labels, strict=True)]
    (folder / "own.csv").write_text("\n".join(["a,b,label", *lines]) + "\n")
    return folder / "own.csv"


WAYS = {"npz": npz, "h5": h5, "arrays": arrays, "data set": data_set, "folder": folder_of_images, "table": table}
DIVIDED = [way for way in WAYS if way != "table"]


@pytest.fixture
def brought(tmp_path: Path) -> Callable[..., Any]:
    """Give a function that trains on labels brought in one way: the classes and the notes, or what refused it."""

    def bring(way: str, y: Any, test_y: Any) -> tuple[tuple[str, ...], list[str]] | str:
        fraction = {"test_fraction": 0.2} if way == "table" else {}
        try:
            dataset = WAYS[way](tmp_path, y, test_y)
            result = train(dataset=dataset, save=tmp_path / "run", **OPTIONS, **fraction)
        except UserError as error:
            return str(error)
        log = (tmp_path / "run" / "Log.txt").read_text()
        for text in result.notes:
            assert f"\nnote: {text}\n" in log
        return result.model.class_names, list(result.notes)

    return bring


TEN = np.arange(20) % 10
MISTYPED = np.where(np.arange(20) == 13, 9999, TEN)


@pytest.mark.parametrize("way", WAYS)
def test_a_mistyped_label_makes_one_class_and_is_told(brought, way):
    classes, notes = brought(way, MISTYPED, TEN[:10])
    assert classes == (*map(str, range(10)), "9999")
    assert any(re.fullmatch(r"\d of 11 classes ha(s|ve) a single training sample: .*9999", note) for note in notes)
    if way not in ("folder", "table"):  # whose labels are words
        assert any("and 9,989 numbers in between do not occur: each of the 11 numbers is a class" in n for n in notes)


@pytest.mark.parametrize("way", WAYS)
def test_two_labels_far_apart_are_two_classes(brought, way):
    classes, _ = brought(way, np.repeat([0, 9999], 10), np.array([0, 9999] * 5))
    assert classes == ("0", "9999")


@pytest.mark.parametrize("way", DIVIDED)
@pytest.mark.parametrize(("y", "test_y"), [(TEN, [3, 10]), ([0, 1, 3, 3], [0, 2]), (["a", "b"] * 5, ["a", "c"])])
def test_a_test_class_that_training_lacks_is_refused(brought, way, y, test_y):
    assert re.search("which (no training label is|.+ lacks)", brought(way, np.array(y), np.array(test_y)))


@pytest.mark.parametrize("way", DIVIDED)
def test_a_single_sample_of_a_class_and_a_class_without_test_samples_are_told(brought, way):
    classes, notes = brought(way, np.array(["a", "b", "b", "c", "c"]), np.array(["b", "a"]))
    assert classes == ("a", "b", "c")
    assert notes == ["1 of 3 classes has a single training sample: a", "1 of 3 classes has no test sample: c"]


@pytest.mark.parametrize("way", ["npz", "h5", "arrays", "data set"])
def test_a_gap_in_the_labels_stays_a_class_and_is_told(brought, way):
    classes, notes = brought(way, np.array([0, 1, 3] * 4), np.array([0, 1, 3]))
    assert classes == ("0", "1", "2", "3")
    assert notes == ["1 of 4 classes has no training sample: 2"]


@pytest.mark.parametrize("way", WAYS)
def test_names_that_differ_in_case_or_spaces_alone_are_told(brought, way):
    y = np.array(["Cat", "cat", "big dog", "big  dog", "emu"] * 4)
    _, notes = brought(way, y, y[:5])
    told = "differ in case or spaces alone, and 1 more pair: give them one name if they are one class"
    assert notes == [f"the classes 'big  dog' and 'big dog' {told}"]


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_said_of_labels_that_bear_out_what_they_claim(brought, way):
    assert brought(way, TEN.repeat(3), TEN) == (tuple(map(str, range(10))), [])


@pytest.mark.parametrize("labels", [[1, 2, 3, 1], [0, 1, 2], [5, 5, 9], ["x", "y"], [True, False]])
def test_labels_that_were_classes_before_are_the_same_ones(labels):
    found = as_classes(labels)
    assert [found.class_names[code] for code in found.train] == [str(label) for label in labels]


def test_names_and_one_hot_rows_may_have_more_classes_than_samples_and_it_is_told():
    found = as_classes([0, 2], class_names=tuple(map(str, range(40))))
    assert class_notes(found.train, None, found.class_names, limited=True) == (
        "38 of 40 classes have no training sample: 1, 3, 4, 5, 6 and 33 more",
    )
    assert as_classes(np.eye(5)[[0, 4]]).class_names == tuple("01234")


def test_tested_samples_that_can_only_be_errors_are_counted():
    assert class_notes(np.array([0, 0, 1, 1]), np.array([0, 1, 2, 2, 2]), ("a", "b", "c")) == (
        "1 of 3 classes has no training sample: c; 3 test samples of such a class can only be errors",
    )


def test_more_classes_than_their_counts_have_memory_for_are_refused(monkeypatch):
    monkeypatch.setattr("bdfa_np.system.memory.physical_memory", lambda: 2.0**30)
    check_classes(1000, "data")
    with pytest.raises(DataError, match=r"data: the confusion counts of 60,000 classes need 86\.4 GB of memory"):
        check_classes(60_000, "data")


def test_a_training_limit_that_loses_classes_is_told(bdfa):
    outcome = bdfa(
        "train", "--dataset", "mnist-5k", "--num-hidden", 2, "--epochs", 1, "--threads", 1, "--train-limit", 4
    )
    assert outcome.code == 0
    assert re.search(r"^note: 6 of 10 classes have no training sample: .* only be errors$", outcome.err, re.MULTILINE)


def test_a_class_without_images_has_a_dash_in_place_of_an_error(bdfa):
    found = ConfusionMatrix(3)
    found.counts[:2, :2] = [[3, 1], [0, 2]]
    names = ["a", "b", "c"]
    assert [line.split()[-1] for line in matrix(found, names, names)] == ["error", "25.00%", "0.00%", "-"]
    assert class_errors(found, names, 80)[1].split() == ["a", "25.00%", "b", "0.00%", "c", "-"]
    assert ">-<" in found.to_html(names)
    np.savez("own.npz", x=np.arange(12.0).reshape(6, 2), y=[0, 0, 1, 1, 3, 3])
    outcome = bdfa("data", "info", "own.npz")
    assert re.search(r"^2 +-$", outcome.out, re.MULTILINE)
    assert outcome.err == "note: 1 of 4 classes has no training sample: 2\n"
