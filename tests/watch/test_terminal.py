"""A run as a picture in a terminal: drawn anew while it goes on, at any size, with and without colours."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from bdfa_np.cli.watching import chart as charts
from bdfa_np.cli.watching.chart import Line, chart
from bdfa_np.cli.watching.terminal import Picture, show
from bdfa_np.errors import TrainingError
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.listing.watching import Watch
from bdfa_np.runs.store.log import failure_line

COLOUR = re.compile(r"\x1b\[[\d;]*3\dm")


def a_console(width=80, height=24, **settings):
    return Console(file=io.StringIO(), width=width, height=height, highlight=False, legacy_windows=False, **settings)


@pytest.fixture
def seen(a_run, measured):
    """Give a run with two epochs done, and its angles."""
    a_run.begin()
    a_run.do(2)
    return replace(Watch(a_run.path).look(), diagnostics=measured())


def steps(*actions):
    """Return what waits: it takes an action each time instead."""
    left = list(actions)

    def wait(seconds):
        assert seconds > 0
        left.pop(0)()

    return wait, left


def test_a_run_is_drawn_until_it_ends_and_the_last_picture_stays(a_run):
    a_run.begin()
    wait, left = steps(lambda: a_run.do(0), lambda: a_run.do(1), lambda: a_run.do(2), a_run.finish)
    console = a_console(force_terminal=True)
    show(Watch(a_run.path), console, wait=wait, clock=lambda: 0.0)
    out = console.file.getvalue()
    told = ["being prepared", "epoch 1 of 3", "epoch 2 of 3", "epoch 3 of 3", "finished: 3 epochs"]
    assert not left
    assert [out.find(text) for text in told] == sorted(out.find(text) for text in told)
    assert out.find("being prepared") > 0
    stays = out.rpartition("\x1b[?1049l")[2]  # back from the terminal's other screen
    assert "finished: 3 epochs" in stays
    assert "error, % by epoch" in stays


def test_ctrl_c_leaves_the_last_picture_and_says_that_the_run_goes_on(a_run):
    def interrupt():
        raise KeyboardInterrupt

    a_run.begin()
    a_run.do(1)
    console = a_console(force_terminal=True)
    with pytest.raises(KeyboardInterrupt, match=r"^the run goes on$"):
        show(Watch(a_run.path), console, wait=steps(interrupt)[0])
    assert "epoch 2 of 3" in console.file.getvalue().rpartition("\x1b[?1049l")[2]


@pytest.mark.parametrize("settings", [{}, {"force_terminal": True, "once": True}])
def test_what_is_no_terminal_gets_one_picture_as_does_who_asks_for_one(a_run, settings):
    a_run.begin()
    a_run.do(1)
    once = settings.pop("once", False)
    console = a_console(**settings)
    show(Watch(a_run.path), console, once=once, wait=lambda _seconds: pytest.fail("it waits"))
    out = console.file.getvalue()
    assert out.count("epoch 2 of 3") == 1
    assert "\x1b[?1049h" not in out


def test_a_finished_run_is_drawn_once(a_run, bdfa, finished):
    outcome = bdfa("watch", finished)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("finished: 3 epochs in ") for line in lines)
    assert any(line.startswith("error: train ") for line in lines)


def test_a_stopped_run_says_how_to_go_on(a_run, bdfa):
    a_run.begin()
    a_run.do(2)
    a_run.end()
    out = " ".join(bdfa("watch", "runs/a", "--once").out.split())
    assert "stopped after 2 of 3 epochs: bdfa train --save runs/a --resume goes on" in out


def test_a_run_that_failed_says_why(a_run, bdfa):
    a_run.begin()
    a_run.do(2)
    a_run.end()
    RunFolder(a_run.path).log([failure_line(TrainingError("the loss is nan: try a smaller --lr"))])
    out = " ".join(bdfa("watch", "runs/a", "--once").out.split())
    assert "failed after 2 of 3 epochs: the loss is nan: try a smaller --lr" in out


@pytest.mark.parametrize("layers", [1, 3, 40])
@pytest.mark.parametrize("width", [24, 60, 80, 100, 200])
@pytest.mark.parametrize("height", [5, 12, 22, 50])
def test_a_picture_is_no_larger_than_its_room(seen, measured, layers, width, height):
    sight = replace(seen, diagnostics=measured(layers))
    lines = Picture().draw(sight, sight.since, width, height).plain.splitlines()
    assert max(map(len, lines)) <= width
    said = next((number for number, line in enumerate(lines) if line.startswith("error, %")), len(lines))
    assert len(lines) <= max(height, said)
    if width >= 60 and height >= 22:
        assert any("angle of δ to the gradient" in line for line in lines)
        assert len(lines) == height


def test_angles_of_the_last_measurement_are_told_beside_the_curves_names_or_in_a_line(seen):
    text = Picture().draw(seen, seen.since, 80, 22).plain
    assert "angle of δ to the gradient, °  1 linear1 50°  2 linear2 49°  3 linear3 48°" in text
    assert "after 6 steps" not in text
    text = " ".join(Picture().draw(seen, seen.since, 80, 12).plain.split())
    assert "angle of δ to the exact gradient after 6 steps: linear1 50°, linear2 49°, linear3 48°" in text


def angles_chart(seen, diagnostics, width=80, height=22):
    """Return the lines from the heading of the chart of angles on."""
    text = Picture().draw(replace(seen, diagnostics=diagnostics), seen.since, width, height).plain
    return text[text.index("angle of δ") :].splitlines()


def test_a_curve_has_the_number_of_its_layer_and_layers_without_an_angle_are_told(seen, measured):
    found = measured(3)
    found.values["signal_angle"][:, :2] = float("nan")
    head, *drawn = angles_chart(seen, found)
    assert head == "angle of δ to the gradient, °  3 linear3 48°  1, 2: no angle"
    assert not any("1" in row for row in rows("\n".join(drawn)))
    assert any("3" in row for row in rows("\n".join(drawn)))


def test_names_that_have_no_room_go_on_below_or_are_left_out(seen, measured):
    lines = angles_chart(seen, measured(4))
    assert lines[1] == "  4 linear4 47°"
    lines = angles_chart(seen, measured(8), 40, 28)
    assert lines[0] == "angle of δ to the gradient, °  1 50°"
    assert lines[1].startswith("  2 49°  3 48°")
    assert not any("…" in line for line in lines)


@pytest.mark.parametrize(
    ("last", "lowest", "has_90"), [(0.0, 50, True), (47.0, 50, True), (20.0, 20, True), (None, 46, False)]
)
def test_the_scale_of_angles_is_that_of_what_is_shown(seen, measured, last, lowest, has_90):
    found = measured(4)
    found.values["signal_angle"][:, 3] = 47.0 if last is None else last
    if last is None:
        found.values["signal_angle"][:, :3] = 60.0
    lines = angles_chart(seen, found, 80, 60)
    assert ("4 linear4 0° (not drawn)" in "\n".join(lines)) == (last == 0)
    named = [int(line.split("┤")[0]) for line in lines if "┤" in line]
    assert min(named) == lowest
    assert (90 in named) == has_90


@pytest.mark.parametrize("epochs", [[1], [1, 2], [0.2, 0.4, 0.6], [0, 0.5, 1], [1, 2, 3], list(range(300))])
def test_epochs_are_whole_numbers(epochs):
    last = chart("x", [Line("a", epochs, [1.0] * len(epochs), "x", "cyan")], 80, 10).plain.splitlines()[-1]
    assert last.split()
    assert all(word.isdigit() for word in last.split())


def test_curves_are_told_apart_without_colours(seen):
    console = a_console(force_terminal=True, no_color=True)
    console.print(Picture().draw(seen, seen.since, 80, 22))
    out = console.file.getvalue()
    assert not COLOUR.search(out)
    assert all(mark in out for mark in ("· training", "● test", "1 linear1", "2 linear2", "3 linear3"))
    coloured = a_console(force_terminal=True)
    coloured.print(Picture().draw(seen, seen.since, 80, 22))
    assert COLOUR.search(coloured.file.getvalue())


def test_a_terminal_without_other_characters_gets_ascii(seen):
    text = Picture(ascii_only=True).draw(replace(seen, diagnostics=None), seen.since, 60, 22).plain
    assert text.isascii()
    assert "?" not in text
    assert ". training  o test" in text


def test_charts_are_drawn_anew_only_when_there_is_something_new(seen, monkeypatch):
    picture = Picture()
    first = picture.draw(seen, seen.since, 80, 22).plain
    monkeypatch.setattr("bdfa_np.cli.watching.terminal.chart", lambda *_a, **_s: pytest.fail("it is drawn again"))
    assert picture.draw(seen, seen.since + 90, 80, 22).plain.splitlines()[2:] == first.splitlines()[2:]


def rows(text):
    """Return the rows within a chart's frame, by what its y axis has there."""
    return [line.partition("│")[2].rstrip("│") or line.partition("┤")[2].rstrip("│") for line in text.splitlines()]


def test_a_chart_shows_values_at_their_height():
    plain = chart("rises", [Line("a", [1, 2, 3], [0.0, 50.0, 100.0], "x", "cyan")], 40, 12).plain
    inside = [line for line in rows(plain) if line]
    assert inside[0].rstrip().endswith("x")  # 100 at the top, at the right
    assert inside[-1].startswith("x")  # 0 at the bottom, at the left


def test_a_logarithmic_chart_has_tens_at_even_distances_and_leaves_out_what_is_0():
    values = [100.0, 10.0, 1.0, 0.0]
    plain = chart("falls", [Line("a", [0, 1, 2, 3], values, "x", "cyan")], 60, 24, log=True).plain
    named = {line.split("┤")[0].strip(): number for number, line in enumerate(plain.splitlines()) if "┤" in line}
    assert set(named) == {"100", "30", "10", "3", "1"}
    assert abs((named["10"] - named["100"]) - (named["1"] - named["10"])) <= 1
    assert all("x" in plain.splitlines()[named[text]] for text in ("100", "10", "1"))


def test_errors_of_which_the_first_would_squash_the_others_are_logarithmic(seen):
    record = seen.history[0]
    errors = [0.9, 0.02, 0.015, 0.012, 0.011, 0.01]
    history = [replace(record, epoch=n, test_error=e, train_error=e / 2) for n, e in enumerate(errors, 1)]
    text = Picture().draw(replace(seen, history=history, diagnostics=None), seen.since, 80, 22).plain
    assert "30┤" in text
    assert " 1┤" in text


def test_what_is_no_number_leaves_a_gap():
    values = [50.0, 50.0, float("nan"), float("nan"), 50.0, 50.0]
    plain = chart("gap", [Line("a", [0, 1, 2, 3, 4, 5], values, "x", "cyan")], 60, 8).plain
    (row,) = [line for line in plain.splitlines()[1:] if "x" in line]
    assert re.fullmatch(r".*┤?x+ {20,}x+.*", row)


def test_a_line_is_drawn_across_at_a_mark():
    plain = chart("angles", [Line("a", [0, 1], [10.0, 20.0], "x", "cyan")], 40, 10, limits=(0, 90), mark=90.0).plain
    (row,) = [line for line in plain.splitlines() if line.startswith("90")]
    assert row.count("┈") > 30


@pytest.mark.parametrize("values", [[float("nan")], [0.0], [0.001], [1e6]])
def test_a_single_value_of_any_size_can_be_drawn(values):
    assert chart("one", [Line("a", [1], values, "x", "cyan")], 40, 10).plain.count("\n") == 9


@pytest.mark.parametrize(
    ("lowest", "highest", "step", "wanted"),
    [(0, 90, 45, [0, 45, 90]), (1, 12, 5, [5, 10]), (0.5, 1.5, 1, [1]), (0, 0.3, 0.1, [0, 0.1, 0.2, 0.3])],
)
def test_ticks_are_the_multiples_of_a_step(lowest, highest, step, wanted):
    assert charts.ticks(lowest, highest, step) == wanted


@pytest.mark.parametrize("module", [None, object()])
def test_without_plotext_or_with_an_older_one_the_extra_is_named(bdfa, finished, monkeypatch, module):
    monkeypatch.setitem(__import__("sys").modules, "plotext", module)
    line = bdfa.refused("watch", finished)
    assert "bdfa watch draws with plotext, from version 6 on: install it with" in line
    assert "[plot]" in line
