"""A film as a file: GIF, WebP and MP4, whole or not at all."""

import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor

from bdfa_np.figures import style
from bdfa_np.figures.film import film, making, reels
from bdfa_np.figures.film.reels import check_reel, durations, ffmpeg, save_gif


def opened(file):
    """Return how often a moving picture is shown, and each frame with the milliseconds for which it stays."""
    with Image.open(file) as image:
        loop, pictures = image.info["loop"], []
        for number in range(image.n_frames):
            image.seek(number)
            pictures.append((np.asarray(image.convert("RGB")), image.info["duration"]))
    return loop, pictures


@pytest.mark.parametrize("suffix", [".gif", pytest.param(".webp", marks=pytest.mark.slow)])
def test_a_moving_picture_has_all_frames_begins_anew_and_stays_at_the_last(made, tmp_path, suffix):
    path = tmp_path / f"film{suffix}"
    made.save(str(path))
    loop, pictures = opened(path)
    width, height = made.figure.get_size_inches() * 100
    assert (len(pictures), loop) == (5, 0)
    assert pictures[0][0].shape == (int(height), int(width), 3)
    assert [duration for _, duration in pictures] == [1000] * 4 + [3000]
    white = np.asarray(pictures[0][0][:2])
    assert (white == 255).all()


@pytest.fixture(scope="module")
def pictures(made):
    """Give the frames of a GIF."""
    file = io.BytesIO()
    save_gif(made, file)
    return [picture for picture, _ in opened(file)[1]]


def test_colours_of_thin_lines_are_kept(pictures):
    last = pictures[-1].reshape(-1, 3)
    for colour in style.COLOURS[:2]:  # those of two layers
        assert (last == ImageColor.getrgb(colour)).all(axis=1).any()


def test_what_does_not_move_is_the_same_in_all_frames(pictures):
    lowest = [picture[-30:] for picture in pictures]  # the numbers and the name of the lowest axis
    assert (lowest[0] < 128).any()
    assert all((one == lowest[0]).all() for one in lowest)
    assert not (pictures[0] == pictures[-1]).all()


@pytest.mark.parametrize(("fps", "each"), [(10, 100), (3, 330), (0.25, 4000), (50, 20)])
def test_frames_stay_for_whole_hundredths_of_a_second(made, monkeypatch, fps, each):
    monkeypatch.setattr(made, "fps", fps)
    assert durations(made) == [each] * 4 + [max(each, 3000)]


@pytest.mark.slow
def test_a_width_is_that_of_the_picture(a_subject):
    made = film(a_subject(), width=5)
    (frame,) = reels.frames(made, [0])
    assert frame.width == 500


def test_a_notebook_shows_the_film(made, monkeypatch):
    monkeypatch.setattr(making, "save_gif", lambda reel, file: file.write(b"GIF89a" if reel is made else b""))
    assert re.match(r'<img alt="[^"]+" src="data:image/gif;base64,R0lGOD', made._repr_html_())


def test_an_mp4_is_written_where_ffmpeg_is(made, tmp_path):
    program = ffmpeg()
    if program is None:
        pytest.skip("neither ffmpeg nor imageio-ffmpeg is installed")
    import subprocess

    path = tmp_path / "film.mp4"
    made.save(path)
    assert path.read_bytes()[4:8] == b"ftyp"
    told = subprocess.run([program, "-i", path, "-f", "null", "-"], capture_output=True, text=True, check=True).stderr
    assert re.search(r"Video: h264.*yuv420p", told)
    assert re.findall(r"frame= *(\d+)", told)[-1] == str(4 + 3)  # one a second, and the last for three


def a_program(folder, text):
    path = folder / "ffmpeg"
    path.write_text(f"#!{sys.executable}\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.skipif(sys.platform == "win32", reason="a script with a first line that names its interpreter")
@pytest.mark.parametrize("reads", [pytest.param("", marks=pytest.mark.slow), "sys.stdin.buffer.read(); "])
def test_an_ffmpeg_that_fails_is_told_in_one_line_and_the_old_file_stays(made, tmp_path, monkeypatch, bdfa, reads):
    text = f"import sys; {reads}print('first', file=sys.stderr); sys.exit('Unknown encoder h264')"
    program = a_program(tmp_path, text)
    monkeypatch.setattr(reels, "ffmpeg", lambda: program)
    path = tmp_path / "film.mp4"
    path.write_text("old")
    with pytest.raises(reels.ConfigError, match=r"cannot write the film \(Unknown encoder h264\): name a .gif$"):
        made.save(path)
    assert path.read_text() == "old"


def test_without_ffmpeg_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(reels, "ffmpeg", lambda: None)
    with pytest.raises(
        reels.ConfigError, match=r"^a\.mp4: MP4 is written by ffmpeg, which is not there: install it, or .*film"
    ):
        check_reel(Path("a.mp4"))


def test_an_error_between_two_frames_leaves_the_old_file(made, tmp_path, monkeypatch):
    path = tmp_path / "film.gif"
    path.write_text("old")
    draw = made.draw

    def fails(number):
        if number == 3:
            raise MemoryError
        draw(number)

    monkeypatch.setattr(made, "draw", fails)
    with pytest.raises(MemoryError):
        made.save(path)
    assert [one.name for one in tmp_path.iterdir()] == ["film.gif"]
    assert path.read_text() == "old"
    assert not any(artist.get_animated() for artist in made.moving)


def test_the_command_writes_a_film_of_a_run(bdfa, tracked):
    outcome = bdfa("plot", tracked, "--what", "film", "--fps", "4")
    assert (outcome.code, outcome.out, outcome.err) == (0, "film.gif\n", "")
    assert [duration for _, duration in opened("film.gif")[1]] == [250, 250, 3000]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--what film -o film.png", "film.png: a film is written as .gif, .webp, .mp4: name a file with one of these"),
        ("--what film --show", "--show is of pictures: write the film to a file"),
        ("--fps 3", "--fps is of a film, and curves is a picture: leave it out, or give --what film"),
    ],
)
def test_what_a_film_cannot_be_is_refused(bdfa, tracked, options, said):
    assert said in bdfa.refused("plot", tracked, *options.split())


def test_a_run_without_measurements_is_told_how_to_get_some(bdfa, tmp_path):
    bdfa.train(tmp_path / "run", "--epochs", 1)
    line = bdfa.refused("plot", tmp_path / "run", "--what", "film")
    assert "nothing was measured of it while it trained: train one with bdfa train ... --track" in line
