"""Small trained runs of every sort of data, and what a picture of them holds."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bdfa_np import train
from bdfa_np.figures.subjects import subjects

QUICK = {"epochs": 1, "threads": 1, "backend": "numpy", "batch_size": 50}
SMALL = {"num_layers": 2, "num_hidden": 10}
LONG = "Wahlenbergia-pygmaea (subsp. drucei) of the high country"


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Give the function that trains a small net once, and returns its folder."""
    place = tmp_path_factory.mktemp("figures_images")
    done: dict[str, Path] = {}

    def run(name, dataset, **options):
        if name not in done:
            done[name] = place / name
            train(dataset=dataset, save=done[name], **QUICK, **({} if "network" in options else SMALL), **options)
        return done[name]

    return run


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Give the paths of colour images of ten classes, of images and vectors of a hundred, and of vectors of three."""
    place = tmp_path_factory.mktemp("data")
    draw = np.random.default_rng(0)

    def write(name, shape, classes, of_each):
        labels = np.repeat(np.arange(len(classes)), of_each)
        values = draw.integers(0, 256, (len(labels), *shape), np.uint8) // 2 + (labels % 2 * 100).astype(
            np.uint8
        ).reshape(-1, *[1] * len(shape))
        arrays = {"class_names": np.array(classes)}
        for part in ("train", "test"):
            arrays |= {f"{part}_images": values, f"{part}_labels": labels}
        np.savez(place / f"{name}.npz", **arrays)
        return str(place / f"{name}.npz")

    ten = ["日本", "costs $5 or $6", LONG, *(f"kind{number}" for number in range(7))]
    hundred = [f"species {number}" for number in range(100)]
    return SimpleNamespace(
        colours=write("colours", (32, 32, 3), ten, 20),
        hundred=write("hundred", (8, 8, 1), hundred, 4),
        vectors=write("vectors", (7,), ["a", "b", "c"], 40),
        hundred_vectors=write("hundred_vectors", (7,), hundred, 4),
    )


@pytest.fixture(scope="session")
def digits_bfa(trained):
    return trained("bfa", "mnist-5k", gradient="bfa", train_limit=200, test_limit=100)


@pytest.fixture(scope="session")
def colours_conv(trained, data):
    return trained("conv", data.colours, network="lenet", gradient="dfa", validate=1, criterion="ce", train_limit=60)


@pytest.fixture
def subject():
    """Give the function that reads a run as a subject, in which its net may be another one."""

    def read(folder, model=None):
        (found,) = subjects([folder])
        return found if model is None else replace(found, runs=(replace(found.runs[0], trained=model),))

    return read


def _texts(axes):
    """Return the texts that axes show, those inside of them too."""
    yield from (*axes.texts, axes.title)
    if axes.axison:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            yield axis.label
            for place, label in zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True):
                if low <= place <= high:
                    yield label
    for inside in axes.child_axes:
        yield from _texts(inside)


@pytest.fixture
def drawn_within():
    """Give the function that returns which texts of a picture are cut, and which lie over one another."""

    def faults(figure):
        figure.draw_without_rendering()
        texts = [*figure.texts, *(text for axes in figure.axes for text in _texts(axes))]
        boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text().strip()]
        whole = figure.bbox
        cut = [
            text
            for text, box in boxes
            if min(box.x0 - whole.x0, box.y0 - whole.y0, whole.x1 - box.x1, whole.y1 - box.y1) < -1
        ]
        over = [
            (one, other)
            for number, (one, box) in enumerate(boxes)
            for other, another in boxes[:number]
            if min(box.x1, another.x1) - max(box.x0, another.x0) > 1
            and min(box.y1, another.y1) - max(box.y0, another.y0) > 1
        ]
        return cut, over

    return faults
