"""Runs made by hand, with known figures, and a few that were trained."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from bdfa_np import Config
from bdfa_np.diagnostics.diagnostics import Diagnostics
from bdfa_np.diagnostics.quantities import QUANTITIES
from bdfa_np.runs.starting import start_run
from bdfa_np.trainer import EpochRecord

TINY = {"dataset": "mnist-5k", "num_hidden": 5, "train_limit": 60, "test_limit": 40, "threads": 1, "num_layers": 1}


@pytest.fixture(scope="session")
def figures():
    """Give the module, where matplotlib is there to draw with."""
    pytest.importorskip("matplotlib", reason="pictures are drawn with matplotlib, the extra plot")
    import bdfa_np.figures

    return bdfa_np.figures


@pytest.fixture(scope="session")
def run(figures):
    """Give what makes a run of some tested and training errors, in percent."""
    from bdfa_np.figures.views import RunView

    def made(tested, training=None, *, seed=0, finished=True, **options):
        options = {"dataset": "mnist", "gradient": "dfa", "epochs": len(tested), **options}
        config = Config(seed=seed, **options).resolve()
        training = tested if training is None else training
        history = [
            EpochRecord(epoch, 1e-3, 0.1, train / 100, 0.5, 0.1, test / 100, 1.0)
            for epoch, (test, train) in enumerate(zip(tested, training, strict=True), 1)
        ]
        return RunView(Path(f"runs/{seed}"), config, history, finished)

    return made


@pytest.fixture(scope="session")
def subject(run):
    """Give what makes a subject of errors, a list a seed."""
    from bdfa_np.figures.views import Subject

    def made(label, *errors, **options):
        return Subject(label, tuple(run(one, seed=seed, **options) for seed, one in enumerate(errors)))

    return made


@pytest.fixture(scope="session")
def measured():
    """Give what makes diagnostics whose numbers tell time and layer: 10 · time + layer, and a share of that."""

    def made(layers=("linear1", "linear2", "linear3"), times=4):
        grid = 10.0 * np.arange(times)[:, None] + np.arange(1, len(layers) + 1)
        values = {one.name: grid / 100 if one.unit == "share" else grid.copy() for one in QUANTITIES}
        values["meaningful"] = np.ones_like(grid)
        return Diagnostics(tuple(layers), np.arange(times, dtype=float), np.arange(times) * 7, values)

    return made


@pytest.fixture(scope="session")
def tracked(subject):
    """Give what makes a subject whose runs were measured."""

    def made(label, *found):
        of = subject(label, *([[20.0, 10.0, 5.0]] * len(found)))
        return replace(of, runs=tuple(replace(one, measured=ones) for one, ones in zip(of.runs, found, strict=True)))

    return made


@pytest.fixture(scope="session")
def confused(subject):
    """Give what makes a subject of counts (K, K), one a seed, and class names."""
    from bdfa_np.figures.views import RunView

    @dataclass(frozen=True, eq=False)
    class Counted(RunView):
        counts: object = None

        def confusion(self):
            return self.counts

    def made(label, names, *counts, **options):
        several = subject(label, *([[10.0, 5.0]] * len(counts)), **options)
        runs = [
            Counted(one.path, one.config, one.history, one.finished, counts=(np.array(of), tuple(names)))
            for one, of in zip(several.runs, counts, strict=True)
        ]
        return replace(several, runs=tuple(runs))

    return made


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Train a few tiny nets: two seeds, a rule beside, one of one epoch under validate, one that was measured."""
    place = tmp_path_factory.mktemp("drawn")
    for name, options in {
        "dfa": {"gradient": "dfa", "epochs": 2, "track": "alignment"},
        "dfa-again": {"gradient": "dfa", "epochs": 2, "seed": 1},
        "bp": {"gradient": "bp", "epochs": 2},
        "held-out": {"gradient": "bp", "epochs": 1, "validate": 50, "test_limit": None},
    }.items():
        start_run(Config(**{**TINY, **options}), place / name)
    return place


def texts_of(drawn):
    """Yield every text that a figure shows; ticks beyond the limits of an axis have labels that nobody sees."""
    yield from drawn.texts  # its title is one of them
    for legend in (*drawn.legends, *(axes.get_legend() for axes in drawn.axes)):
        yield from legend.get_texts() if legend is not None else []
    for axes in drawn.axes:
        yield from (axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts)
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            slack = 1e-6 * (high - low)
            for tick in axis.get_major_ticks():
                if low - slack <= tick.get_loc() <= high + slack and tick.label1.get_visible():
                    yield tick.label1


def boxes(drawn):
    """Return the box, in pixels, of each text that a figure shows, after it."""
    drawn.set_dpi(100)
    drawn.draw_without_rendering()
    return [(one.get_text(), one.get_window_extent()) for one in texts_of(drawn) if one.get_text().strip()]


@pytest.fixture(scope="session")
def check_layout():
    """Give what sees that all texts of a figure lie within it and none upon another."""

    def check(drawn):
        found = boxes(drawn)
        assert found
        width, height = drawn.get_size_inches() * 100
        for text, box in found:
            assert min(box.x0, box.y0, width - box.x1, height - box.y1) >= -1, f"cut: {text!r}"
        for number, (text, box) in enumerate(found):
            for other, beside in found[number + 1 :]:
                across = min(box.x1, beside.x1) - max(box.x0, beside.x0)
                down = min(box.y1, beside.y1) - max(box.y0, beside.y0)
                assert across < 1.5 or down < 1.5, f"{text!r} lies upon {other!r}"

    return check
