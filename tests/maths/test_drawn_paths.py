"""Pictures of rules' paths: what is drawn follows from what is declared, and nothing lies over anything else."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from bdfa_np.errors import ExtensionError
from bdfa_np.rules import RULES

pytest.importorskip("matplotlib", reason="pictures are drawn with matplotlib, the extra plot")

from matplotlib.patches import FancyBboxPatch, Polygon

from bdfa_np import FeedbackMatrix, Pathway, Rule, figures
from bdfa_np.figures.diagram.scene import ERROR, FEEDBACK, FORWARD, symbol

STORED = Path(__file__).parents[2] / "docs" / "maths" / "paths"
every_rule = pytest.mark.parametrize("name", RULES)
GREY = "#d0d0d0"


@pytest.fixture(scope="module")
def drawn():
    """Give the axes of each rule, drawn once."""
    return {name: figures.paths(name) for name in RULES}


def texts(axes):
    return [text.get_text() for text in axes.texts]


def boxes(axes):
    """Return left, bottom, right and top of each box and matrix, in inches."""
    found = [patch for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    return [(p.get_x(), p.get_y(), p.get_x() + p.get_width(), p.get_y() + p.get_height()) for p in found]


def of_colour(axes, line):
    return [one for one in axes.lines if one.get_color() == line.colour]


def crosses(start, end, box):
    """Return whether a line goes through a box, and does more than touch it."""
    steps = np.linspace(0, 1, 200)[:, None]
    points = np.asarray(start) + steps * (np.asarray(end) - np.asarray(start))
    left, bottom, right, top = box
    inside = (points[:, 0] > left + 0.01) & (points[:, 0] < right - 0.01)
    return bool((inside & (points[:, 1] > bottom + 0.01) & (points[:, 1] < top - 0.01)).any())


@every_rule
def test_no_box_lies_over_another_and_no_line_goes_through_one(name, drawn):
    axes = drawn[name]
    found = boxes(axes)
    for one, other in itertools.combinations(found, 2):
        across = min(one[2], other[2]) - max(one[0], other[0])
        assert min(across, min(one[3], other[3]) - max(one[1], other[1])) < 1e-9
    for line in axes.lines:
        for start, end in itertools.pairwise(zip(*line.get_data(), strict=True)):
            assert not any(crosses(start, end, box) for box in found)


@pytest.mark.parametrize("name", ["bfa", "usf", "pfa", "sdfa", "fdfa"])
def test_every_text_is_within_the_picture_and_over_no_other_nor_the_edge_of_its_box(name, drawn):
    axes = drawn[name]
    whole = axes.get_figure()
    whole.draw_without_rendering()
    drawn_boxes = [axes.transData.transform([box[:2], box[2:]]).ravel() for box in boxes(axes)]
    legend = [text for one in whole.legends for text in one.get_texts()]
    extents = [text.get_window_extent().extents for text in [*axes.texts, *legend]]
    for x0, y0, x1, y1 in extents:
        assert min(x0, y0, whole.bbox.width - x1, whole.bbox.height - y1) > 0
    for one, other in itertools.combinations(extents, 2):
        assert min(min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])) < 0
    for text, (x0, y0, x1, y1) in zip(axes.texts, extents, strict=False):
        around = [box for box in drawn_boxes if box[0] < (x0 + x1) / 2 < box[2] and box[1] < (y0 + y1) / 2 < box[3]]
        for box in around:
            assert min(x0 - box[0], y0 - box[1], box[2] - x1, box[3] - y1) > 0, text.get_text()
        if not around:
            assert not any(min(x1, b[2]) - max(x0, b[0]) > 0 and min(y1, b[3]) - max(y0, b[1]) > 0 for b in drawn_boxes)


SHOWN = {
    "bp": ["$W_{2}^{\\mathrm{T}}$", "$W_{3}^{\\mathrm{T}}$"],
    "fa": ["$B_{2}^{\\mathrm{T}}$", "$B_{3}^{\\mathrm{T}}$"],
    "bfa": ["$\\hat{x}$", "$ε_{0}$", "$ε_{2}$", "$g_{1}$", "$g_{2}$", "$Y$", "$B_{1}^{\\mathrm{T}}$", "$dB_{3}$"],
    "bdfa": ["$B_{1}$", "$B_{2}$", "$\\hat{a}_{1}$", "$\\hat{a}_{2}$", "$Y$"],
    "usf": ["$V_{2}^{\\mathrm{T}}$", "$V_{3}^{\\mathrm{T}}$", "$\\mathrm{sign}$"],
    "kp": ["$B_{2}^{\\mathrm{T}}$", "$dW_{2}$", "$dW_{3}$"],
    "wm": ["$B_{3}^{\\mathrm{T}}$", "$\\mathrm{noise}$"],
    "pfa": ["$M_{2}$", "$R_{2}$", "$M_{3}$", "$R_{3}$", "$dR_{2}$"],
    "sdfa": ["$B_{1}$", "$B_{2}$", "$\\mathrm{sign}(e)$"],
    "drtp": ["$B_{1}$", "$B_{2}$", "$-t$"],
    "ifa": ["$B_{1}$", "$W_{2}$"],
    "fdfa": ["$p_{1}$", "$p_{2}$", "$d$", "$B_{1}$", "$d^{\\mathrm{T}}p_{2}$"],
    "ebd": ["$R_{1}$", "$R_{2}$", "$ε^{\\mathrm{T}}h_{1}$"],
}
"""What the picture of a rule has beside the net, written by hand."""


@pytest.mark.parametrize("name", SHOWN)
def test_a_picture_has_the_symbols_of_its_rule(name, drawn):
    assert set(SHOWN[name]) <= set(texts(drawn[name]))
    assert {"$x$", "$h_{1}$", "$h_{2}$", "$o$", "$e$", "$t$", "$W_{1}$"} <= set(texts(drawn[name]))


@every_rule
def test_colours_and_dashes_tell_what_goes_forward_what_is_error_and_what_feedback_learns_from(name, drawn):
    axes = drawn[name]
    told = [text.get_text() for text in axes.get_figure().legends[0].get_texts()]
    learns = any(w in RULES[name].trains for w in ("and B", "and R")) or name in ("usf", "brsf", "frsf")
    assert of_colour(axes, FORWARD)
    assert bool(of_colour(axes, ERROR)) == ("error" in told) == (name != "frozen")
    assert bool(of_colour(axes, FEEDBACK)) == (FEEDBACK.label in told) == learns
    dashes = {line.colour: {one.get_linestyle() for one in of_colour(axes, line)} for line in (FORWARD, ERROR)}
    assert not dashes[FORWARD.colour] & dashes[ERROR.colour]
    assert len({str(line.dash) for line in (FORWARD, ERROR, FEEDBACK)}) == 3


@pytest.mark.parametrize(
    ("name", "fixed"), [("fa", 2), ("dfa", 2), ("pfa", 2), ("ifa", 1), ("frozen", 2), ("bdfa", 0), ("kp", 0), ("bp", 0)]
)
def test_what_stays_as_it_was_drawn_is_grey(name, fixed, drawn):
    from matplotlib.colors import to_hex

    found = [p for p in drawn[name].patches if isinstance(p, FancyBboxPatch) and to_hex(p.get_facecolor()) == GREY]
    assert len(found) == fixed
    assert ("fixed" in [text.get_text() for text in drawn[name].get_figure().legends[0].get_texts()]) == bool(fixed)


def ends(axes, line):
    """Return what is written nearest to where the lines of a kind end."""
    from matplotlib.colors import to_hex

    heads = [patch for patch in axes.patches if isinstance(patch, Polygon)]
    ours = [patch.get_xy()[0] for patch in heads if to_hex(patch.get_edgecolor()) == line.colour.lower()]
    apart = [[np.hypot(*(np.asarray(text.get_position()) - at)) for text in axes.texts] for at in ours]
    return {axes.texts[int(np.argmin(row))].get_text() for row in apart}


@pytest.mark.parametrize(
    ("name", "lessons"),
    [
        ("fa", set()),
        ("dfa", set()),
        ("ifa", set()),
        ("dkp", {"$B_{1}$", "$B_{2}$"}),
        ("kp", {"$B_{2}^{\\mathrm{T}}$", "$B_{3}^{\\mathrm{T}}$"}),
        ("pfa", {"$R_{2}$", "$R_{3}$"}),
        ("bdfa", {"$\\hat{a}_{1}$", "$\\hat{a}_{2}$", "$h_{1}$", "$h_{2}$"}),
    ],
)
def test_heads_are_where_signals_arrive(name, lessons, drawn):
    assert ends(drawn[name], ERROR) == {"$δ_{1}$", "$δ_{2}$", "$h_{1}$", "$h_{2}$"}
    assert ends(drawn[name], FEEDBACK) == lessons


@every_rule
def test_the_stored_picture_has_what_would_be_drawn_now(name, drawn):
    """Its letters are outlines; matplotlib writes each text into a comment beside them."""
    stored = (STORED / f"{name}.svg").read_text(encoding="utf-8")
    legend = [text.get_text() for text in drawn[name].get_figure().legends[0].get_texts()]
    assert sorted(re.findall(r"<!-- (.*?) -->", stored)) == sorted([*texts(drawn[name]), *legend])
    greys = sum(p.get_facecolor()[0] < 0.9 for p in drawn[name].patches if isinstance(p, FancyBboxPatch))
    assert stored.count(f"fill: {GREY}") == greys + ("fixed" in legend)


@pytest.mark.parametrize("name", ["bfa"])
def test_a_stored_picture_is_drawn_again_byte_for_byte(name, drawn, tmp_path):
    import matplotlib

    stored = (STORED / f"{name}.svg").read_bytes()
    if f"Matplotlib v{matplotlib.__version__}," not in stored.decode():
        pytest.skip("it was drawn with another version of matplotlib")
    figures.save(drawn[name].get_figure(), tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == stored, "draw them anew: python docs/maths/draw.py"


def test_a_rule_may_be_a_class_an_object_or_a_file(tmp_path, drawn):
    from bdfa_np import Config, build_model

    rule = build_model(Config(gradient="dkp", num_hidden=3), (2, 2, 1), 3).rule
    assert texts(figures.paths(rule)) == texts(figures.paths(RULES["dkp"])) == texts(drawn["dkp"])
    file = tmp_path / "mine.py"
    file.write_text(
        "from bdfa_np import DFA, FeedbackMatrix, Pathway\n\n\nclass Mine(DFA):\n"
        "    pathways = (Pathway('direct', (FeedbackMatrix('Q', 'trained', learns_from='h_l', by='$odd'),), '2 e'),)\n"
    )
    found = texts(figures.paths(str(file)))
    assert {"$Q_{1}$", "$Q_{2}$", "$2 e$", "$odd"} <= set(found)
    with pytest.raises(ExtensionError, match="unknown rule 'nothing'"):
        figures.paths("nothing")


@pytest.mark.parametrize(
    ("text", "index", "printed"),
    [
        ("δ", 2, ("$δ_{2}$", True)),
        ("x̂", None, ("$\\hat{x}$", True)),
        ("Bᵀ", 3, ("$B_{3}^{\\mathrm{T}}$", True)),
        ("sign(e)", None, ("$\\mathrm{sign}(e)$", True)),
        ("50 %", None, ("50 %", False)),
        ("$B", 1, ("$B 1", False)),
        ("信", None, ("?", False)),
    ],
)
def test_symbols_are_printed_as_in_papers_and_what_is_none_stays_as_it_is(text, index, printed):
    assert symbol(text, index) == printed


def test_axes_of_ones_own_are_drawn_into_without_a_legend():
    from matplotlib.figure import Figure

    whole = Figure(figsize=(9, 3))
    left, right = whole.subplots(1, 2)
    assert figures.paths("dfa", axes=right) is right
    assert not whole.legends
    assert not left.texts
    assert right.texts[0].get_size() < 9


@pytest.mark.parametrize(
    "pathways",
    [
        (),
        (Pathway("up", (FeedbackMatrix("W", "forward"),), "ε_0", "ε", trains_feedback=True, beside="x"),),
        (Pathway("down", beside="h"), Pathway("direct", (), "", "g", trains_feedback=True, beside="x")),
        (Pathway("lowest", (FeedbackMatrix("B", learns_from="nowhere"),) * 3, beside="h"), Pathway("up", start="e")),
    ],
    ids=["none", "drawn from nothing", "nothing to be held against", "learns from what there is not"],
)
def test_what_has_no_place_in_a_picture_is_left_out(pathways):
    from matplotlib.figure import Figure

    kind = type("Kind", (Rule,), {"pathways": pathways, "visit": lambda *_: None})
    axes = figures.paths(kind, axes=Figure().add_subplot())
    assert {"$W_{1}$", "$W_{2}$", "$W_{3}$"} <= set(texts(axes))
