"""Writing frames as a GIF, a WebP or an MP4."""

from __future__ import annotations

import contextlib
import io
import itertools
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import numpy as np

from bdfa_np.errors import ConfigError
from bdfa_np.figures import style
from bdfa_np.system.extras import install_command
from bdfa_np.system.outputs import open_output
from bdfa_np.system.progress import bar

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure
    from PIL import Image

SUFFIXES = (".gif", ".webp", ".mp4")
LAST_SECONDS = 3.0
"""For how long the last frame stays at least."""
_MOST_COLOURS = 128
"""Of a GIF: with all 256 of them it is an eighth larger, and looks the same."""


class Reel(Protocol):
    """Frames, drawn one after the other into one figure.

    Attributes
    ----------
    figure : Figure
        What is drawn into.
    moving : sequence of Artist
        Those of its parts that are others from frame to frame, and what stands over them, from behind to before.
    fps : float
        Frames a second.
    dpi : float
        Pixels an inch.
    """

    figure: Figure
    moving: Sequence[Artist]
    fps: float
    dpi: float

    def __len__(self) -> int:
        """Return the number of frames."""

    def draw(self, number: int) -> object:
        """Give the moving parts what they show in a frame."""


def check_reel(path: Path) -> Path:
    """Return a film's path; raise `ConfigError` where its suffix is none that can be written, or can be here."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigError(f"{path}: a film is written as {', '.join(SUFFIXES)}: name a file with one of these")
    if suffix == ".mp4" and ffmpeg() is None:
        command = install_command("film")
        raise ConfigError(
            f"{path}: MP4 is written by ffmpeg, which is not there: install it, or {command}, or name a .gif"
        )
    return path


def ffmpeg() -> str | None:
    """Return the program that writes MP4: the one that is installed, or that of the extra ``film``; None if neither."""
    import shutil

    found = shutil.which("ffmpeg")
    if found is None:
        try:
            from imageio_ffmpeg import get_ffmpeg_exe

            found = str(get_ffmpeg_exe())
        except (ImportError, RuntimeError):  # RuntimeError: the package has none for this system
            return None
    return found


def save_reel(reel: Reel, path: Path, *, progress: bool = False) -> None:
    """Write frames by the file's suffix, whole or not at all; raises as `check_reel` does."""
    suffix = check_reel(path).suffix.lower()
    whole = io.BytesIO()
    {".gif": save_gif, ".webp": save_webp, ".mp4": save_mp4}[suffix](reel, whole, progress=progress)
    with open_output(path) as file:
        file.write(whole.getbuffer())


def save_gif(reel: Reel, file: BinaryIO, *, progress: bool = False) -> None:
    """Write a GIF that begins anew at its end; its colours are those of its own frames, black and white."""
    palette = _palette(frames(reel, sorted({0, len(reel) // 2, len(reel) - 1})))
    with bar("film", len(reel), progress) as done:
        first, *others = (_reduced(image, palette) for image in _counted(frames(reel), done))
    rest: dict[str, Any] = {"append_images": others, "duration": durations(reel), "loop": 0, "optimize": False}
    first.save(file, "GIF", save_all=True, **rest)


def _palette(images: Iterable[Image.Image]) -> Image.Image:
    """Return the colours of some frames: white, those of thin lines, which are of few pixels, and the others' most."""
    from PIL import Image, ImageColor

    some = np.concatenate([np.asarray(image) for image in images])
    fixed = [ImageColor.getrgb(colour) for colour in ("white", "black", style.NEUTRAL, *style.COLOURS)]
    left = _MOST_COLOURS - len(fixed)
    most = Image.fromarray(some).quantize(left, method=Image.Quantize.MEDIANCUT).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*itertools.chain(*fixed), *most[: 3 * left]])
    return palette


def _reduced(image: Image.Image, palette: Image.Image) -> Image.Image:
    """Return a frame in the colours of a palette."""
    from PIL import Image

    places = np.array(image.quantize(palette=palette, dither=Image.Dither.NONE))
    places[(np.asarray(image) == 255).all(axis=2)] = 0  # Pillow takes a colour that is near enough
    reduced = Image.fromarray(places, "P")
    reduced.putpalette(palette.getpalette() or [])
    return reduced


def save_webp(reel: Reel, file: BinaryIO, *, progress: bool = False) -> None:
    """Write an animated WebP, without loss, that begins anew at its end."""
    with bar("film", len(reel), progress) as done:
        first, *others = _counted(frames(reel), done)
    rest: dict[str, Any] = {"append_images": others, "duration": durations(reel), "loop": 0, "lossless": True}
    first.save(file, "WEBP", save_all=True, **rest)


def save_mp4(reel: Reel, file: BinaryIO, *, progress: bool = False) -> None:
    """Write an MP4 as browsers and slides play it (H.264).

    Raises
    ------
    ConfigError
        If ffmpeg is not there, or cannot do that.
    """
    program = ffmpeg()
    assert program is not None  # `check_reel` has seen to that
    images = frames(reel)
    first = next(images)
    width, height = (side - side % 2 for side in first.size)  # H.264 has colours of two by two pixels
    taken = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-framerate", str(reel.fps), "-i", "-"]
    made = ["-c:v", "h264", "-pix_fmt", "yuv420p", "-movflags", "+faststart", "-loglevel", "error", "-y"]
    stays = max(round(LAST_SECONDS * reel.fps), 1)
    with tempfile.TemporaryDirectory() as folder, bar("film", len(reel), progress) as done:
        path, said = Path(folder) / "film.mp4", Path(folder) / "said"
        with open(said, "wb") as errors:
            command = [program, *taken, *made, str(path)]
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=errors)  # noqa: S603 - a program that we name
            with child, contextlib.suppress(BrokenPipeError):  # where it has ended, and why is in what it said
                assert child.stdin is not None
                for number, image in enumerate(_counted(itertools.chain([first], images), done), start=1):
                    pixels = image.crop((0, 0, width, height)).tobytes()
                    child.stdin.write(pixels * (stays if number == len(reel) else 1))
        if child.returncode:
            reason = said.read_text(errors="replace").strip().rpartition("\n")[2]
            raise ConfigError(f"{program} cannot write the film ({reason}): name a .gif")
        file.write(path.read_bytes())


def durations(reel: Reel) -> list[int]:
    """Return for how many milliseconds each frame stays, in whole hundredths of a second, as GIF has them."""
    each = max(round(100 / reel.fps), 2) * 10  # browsers take less than two hundredths for ten
    return [each] * (len(reel) - 1) + [max(each, round(1000 * LAST_SECONDS))]


def frames(reel: Reel, numbers: Sequence[int] | None = None) -> Iterator[Image.Image]:
    """Yield frames as pictures, all of them or some; what does not move is drawn once."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    reel.figure.set_dpi(reel.dpi)
    canvas: Any = FigureCanvasAgg(reel.figure)
    for artist in reel.moving:
        artist.set_animated(True)
    try:
        canvas.draw()
        still = canvas.copy_from_bbox(reel.figure.bbox)
        for number in range(len(reel)) if numbers is None else numbers:
            reel.draw(number)
            canvas.restore_region(still)
            for artist in reel.moving:
                artist.draw(canvas.get_renderer())
            yield Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    finally:
        for artist in reel.moving:
            artist.set_animated(False)


def _counted(images: Iterable[Image.Image], done: Callable[[int], None]) -> Iterator[Image.Image]:
    for number, image in enumerate(images, start=1):
        yield image
        done(number)
