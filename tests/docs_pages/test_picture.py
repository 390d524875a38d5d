"""The picture at the top of the README: its axes hold what was measured and what the net draws."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="pictures are drawn with the extra 'plot'")
ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "pictures" / "learning.py"


@pytest.fixture(scope="module")
def script():
    """Give the script as a module."""
    spec = importlib.util.spec_from_file_location("learning", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def results(script):
    """Train what it shows, on few images."""
    return script.learn(epochs=2, num_hidden=10, train_limit=200, test_limit=100)


@pytest.fixture(scope="module")
def figure(script, results):
    """Draw it, and lay it out."""
    drawn = script.draw(results)
    drawn.draw_without_rendering()
    return drawn


def test_the_lines_are_the_angles_of_hidden_layers_and_the_digits_those_that_the_net_draws(figure, results):
    fa, dfa, *digits = figure.axes
    for axes, rule in ((fa, "fa"), (dfa, "dfa")):
        found = results[rule].diagnostics
        angles = found.angles("signal_angle")
        lines = axes.get_lines()[:-1]
        assert len(lines) == len(found.layers) - 1 == 2
        for line, angle in zip(lines, angles.T, strict=False):
            np.testing.assert_array_equal(line.get_xdata(), found.epochs)
            np.testing.assert_array_equal(line.get_ydata(), angle)
        assert np.nanmax(angles) < axes.get_ylim()[1]
        assert axes.get_title().startswith(rule.upper())
    drawn = results["bfa"].model.rule.generate(np.arange(10))
    assert len(digits) == 10
    for axes, image in zip(digits, drawn, strict=True):
        np.testing.assert_array_equal(axes.get_images()[0].get_array(), image[..., 0])


def test_no_text_is_cut_or_lies_on_another(figure):
    panels = figure.axes[:2]
    texts = [*(panel.title for panel in panels), *figure.subfigs[1].texts, *(panel.xaxis.label for panel in panels)]
    texts += [panels[0].yaxis.label, *figure.subfigs[1].texts]
    boxes = {text: text.get_window_extent() for text in texts}
    width, height = figure.bbox.size
    for text, box in boxes.items():
        assert 0 <= box.x0 < box.x1 <= width, text
        assert 0 <= box.y0 < box.y1 <= height, text
        assert [other for other in boxes if other is not text and box.overlaps(boxes[other])] == []


def test_the_readme_shows_it_and_names_the_command():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    picture = SCRIPT.with_suffix(".png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"({picture.relative_to(ROOT).as_posix()})" in readme
    assert f"`python {SCRIPT.relative_to(ROOT).as_posix()}`" in readme
