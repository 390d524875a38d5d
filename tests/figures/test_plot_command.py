"""``bdfa plot``: files by suffix, the same bytes for the same runs, and one line for what cannot be."""

import subprocess
import sys

import pytest

from bdfa_np.figures.kinds import KINDS

pytest.importorskip("matplotlib", reason="pictures are drawn with matplotlib, the extra plot")
BEGINS = {"png": b"\x89PNG\r\n", "svg": b"<?xml", "pdf": b"%PDF-"}


@pytest.fixture
def here(folders, tmp_path, monkeypatch):
    (tmp_path / "runs").symlink_to(folders)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow  # and of a figure below
def test_runs_drawn_again_are_the_same_bytes(bdfa, here):
    for name in ("a.svg", "b.svg"):
        assert bdfa("plot", "runs/bp", "runs/dfa", "-o", name).out == f"{name}\n"
    assert (here / "a.svg").read_bytes() == (here / "b.svg").read_bytes()


@pytest.mark.parametrize(
    "suffix", [pytest.param(one, marks=pytest.mark.slow) if one == "pdf" else one for one in BEGINS]
)
def test_the_suffix_says_the_format_and_nothing_in_it_the_time(figures, tmp_path, monkeypatch, suffix):
    from bdfa_np.figures import style

    for name, moment in {"a": "1000000000", "b": "1500000000"}.items():
        monkeypatch.setenv("SOURCE_DATE_EPOCH", moment)  # which matplotlib takes for now
        drawn = style.figure(1, 1)
        style.title(drawn, "5 %")
        style.save(drawn, str(tmp_path / f"{name}.{suffix}"))
    first, second = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in "ab")
    assert first == second
    assert first.startswith(BEGINS[suffix])
    assert suffix != "pdf" or b"/FontFile2" in first


@pytest.mark.parametrize("kind", ["curves", "confusion"])
def test_a_run_of_one_epoch_under_validate(bdfa, here, kind):
    bdfa("plot", "runs/held-out", "--what", kind, "-o", "picture.svg")
    assert (here / "picture.svg").read_bytes().startswith(BEGINS["svg"])


def test_without_a_file_it_has_the_picture_s_name_and_replaces_none(bdfa, here):
    assert bdfa("plot", "runs/dfa", "--what", "angles").out == "angles.png\n"
    before = (here / "angles.png").read_bytes()
    assert "angles.png is there already: -o angles.png to replace it" in bdfa.refused(
        "plot", "runs/bp", "--what", "angles"
    )
    assert "there is no folder runs/nope" in bdfa.refused("plot", "runs/nope", "--what", "angles")
    assert (here / "angles.png").read_bytes() == before
    bdfa("plot", "runs/dfa", "--what", "angles", "-o", "angles.png", "--width", "5")
    assert (here / "angles.png").read_bytes() != before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("runs/bp", "-o", "a.jpg"), "a.jpg: a picture is written as .png, .svg, .pdf"),
        (("runs/bp", "-o", "picture"), "picture: a picture is written as .png, .svg, .pdf"),
        (("runs/bp", "-o", "no/a.png"), "there is no folder no"),
        (("runs/bp", "--what", "angles"), "runs/bp: nothing was measured of it while it trained"),
        (("runs/bp", "--quantity", "signal_rank"), "--what curves: add --what rank"),
        (("runs/bp", "--what", "angle"), "Did you mean 'angles'?"),
        (("runs/bp", "--count", "3"), "--count has no part in --what curves"),
        (("runs/none",), "there is no folder runs/none"),
        (("runs/bp", "--show"), "--show: no window can be opened here"),
    ],
)
def test_mistakes_are_told_in_one_line_and_nothing_is_written(bdfa, here, monkeypatch, arguments, message):
    monkeypatch.setenv("MPLBACKEND", "agg")
    assert message in bdfa.refused("plot", *arguments)
    assert [path.name for path in here.iterdir()] == ["runs"]


def test_without_matplotlib_it_says_what_to_install(bdfa, here, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "pictures are drawn with matplotlib: install it with pip install" in bdfa.refused("plot", "runs/bp")


def test_a_window_shows_the_figure(figures, subject, monkeypatch):
    from matplotlib import pyplot

    from bdfa_np.figures.style import show_window

    drawn = figures.curves(subject("dfa", [9.0, 8.0])).figure
    shown = []
    monkeypatch.setattr(pyplot, "show", lambda: shown.append(pyplot.gcf().canvas.figure))
    show_window(drawn)
    pyplot.close("all")
    assert shown == [drawn]


def test_the_help_lists_every_picture_within_80_columns(bdfa):
    text = bdfa("plot", "--help").out
    for name, kind in KINDS.items():
        assert f"{name:9} {kind.summary}" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_help_waits_for_neither_numpy_nor_matplotlib():
    code = (
        "import sys, bdfa_np.figures\n"
        "import bdfa_np.cli.commands.plot\n"
        "print([name for name in ('numpy', 'matplotlib', 'h5py') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
