"""The registry: what every entry must have, and the facts that are published of each data set."""

import dataclasses
import os
import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from bdfa_np.data import load_dataset
from bdfa_np.data.sources import registry
from bdfa_np.errors import DataError

SOURCES = {
    f"{entry.name}-{number}": source
    for entry in registry.ENTRIES.values()
    for number, source in enumerate(entry.publications)
}


@pytest.mark.parametrize("entry", registry.ENTRIES.values(), ids=registry.ENTRIES)
def test_every_entry_says_what_the_data_are_and_whom_to_cite(entry):
    assert entry.name == entry.name.lower()
    assert registry.ENTRIES[entry.name] is entry
    assert registry.find_entry(entry.title) is entry
    assert entry.licence
    assert re.search(r"(19|20)\d\d", entry.citation)
    assert len(set(entry.class_names)) == len(entry.class_names) >= 2
    assert all(side > 0 for side in entry.image_shape)
    assert entry.train_images > 0
    assert entry.test_images > 0


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_every_source_is_published_in_one_way_and_has_a_reader(source):
    assert [bool(source.files), bool(source.archive), bool(source.bundled)].count(True) == 1
    module, function = source.reader.split(":")
    assert callable(getattr(import_module(module), function))
    files = source.wanted()
    assert len({file.name for file in files}) == len(files) >= 1
    assert all("/" not in file.name for file in files)


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_checksums_are_sha256_and_addresses_end_in_the_files_names(source):
    digests = [file.sha256_content for file in source.wanted() if file.sha256_content is not None]
    published = [(f"{file.name}{file.suffix}", file.sha256_archive, file.urls) for file in source.files]
    if source.archive is not None:
        published.append((source.archive.name, source.archive.sha256, source.archive.urls))
    for name, digest, urls in published:
        digests.append(digest)
        assert urls
        assert all(re.match(r"https?://", url) and url.endswith(f"/{name}") for url in urls)
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)
    plain = [file.name for file in source.files if not file.suffix]
    assert len(set(digests)) == len(digests) - len(plain)


def test_no_two_files_are_the_same():
    digests = [file.sha256_content for source in SOURCES.values() for file in source.wanted() if file.sha256_content]
    assert len(set(digests)) == len(digests)


def test_known_checksums_are_those_of_the_first_source_where_all_are_published():
    entry = registry.ENTRIES["cifar10"]
    first = entry.publications[0].archive
    assert entry.known_checksums() == {file.name: file.sha256_content for file in first.files}
    unknown = dataclasses.replace(first.files[3], sha256_content=None)
    files = (*first.files[:3], unknown, *first.files[4:])
    source = dataclasses.replace(entry.publications[0], archive=dataclasses.replace(first, files=files))
    assert dataclasses.replace(entry, publications=(source, *entry.publications[1:])).known_checksums() is None


def test_known_checksums_are_what_reading_records():
    assert load_dataset("mnist-5k").checksums == registry.ENTRIES["mnist-5k"].known_checksums()


def test_the_documentation_has_a_row_with_its_counts_for_each():
    page = Path(__file__).parents[3] / "docs" / "data.md"
    if not page.is_file():
        pytest.skip("the documentation is not beside the tests")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.read_text().splitlines()]
    documented = {row[0].strip("`"): row[2:4] for row in rows if len(row) == 5 and row[0].startswith("`")}
    assert documented == {
        entry.name: [f"{entry.train_images:,} + {entry.test_images:,}", str(len(entry.class_names))]
        for entry in registry.ENTRIES.values()
    }
    assert list(documented) == list(registry.ENTRIES)


def real(name: str) -> Path:
    folder = Path(os.environ.get("BDFA_DATA_DIR", "absent"))
    if not any((folder / name).glob("train-images-idx3-ubyte*")):
        pytest.skip(f"BDFA_DATA_DIR names no folder with {name}")
    return folder


def test_real_fashion_mnist_has_its_known_counts_and_mean():
    dataset = load_dataset("Fashion-MNIST", real("fashion-mnist"))
    assert dataset.train_images.shape == (60_000, 28, 28, 1)
    assert dataset.test_images.shape == (10_000, 28, 28, 1)
    assert np.bincount(dataset.train_labels).tolist() == [6000] * 10
    assert np.bincount(dataset.test_labels).tolist() == [1000] * 10
    # The first labels that every loader of it shows: an ankle boot, two T-shirts, a dress, a T-shirt.
    names = [dataset.class_names[label] for label in dataset.train_labels[:5]]
    assert names == ["Ankle boot", "T-shirt/top", "T-shirt/top", "Dress", "T-shirt/top"]
    # The mean pixel that it is known by.
    assert dataset.train_images.mean() / 255 == pytest.approx(0.2860406, abs=1e-6)
    assert dataset.checksums == registry.ENTRIES["fashion-mnist"].known_checksums()


def test_the_files_of_real_mnist_are_not_taken_for_fashion_mnist():
    folder = real("mnist") / "mnist"
    with pytest.raises(DataError) as caught:
        load_dataset("fashion-mnist", folder)
    message = str(caught.value)
    assert message.startswith(str(folder / "train-images-idx3-ubyte"))
    assert "is a file of MNIST, not of Fashion-MNIST" in message
    assert "delete" not in message
    assert "\n" not in message
