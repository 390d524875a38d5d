"""``bdfa plot``: pictures of runs and studies."""

from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.options import debug_option, trust_option
from bdfa_np.cli.paths import OutputPath
from bdfa_np.diagnostics.quantities import QUANTITIES
from bdfa_np.errors import ConfigError
from bdfa_np.figures.kinds import KINDS, Kind
from bdfa_np.options.hints import meant


def _told(name: str, kind: Kind) -> str:
    needs = f" ({kind.needs})" if kind.needs else ""
    return f"  {name:9} {kind.summary}{needs}"


class Named(click.Choice[str]):
    """A choice that asks, of a name that there is not, which one may be meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            question = meant(str(value), {}, {name: name for name in self.choices})
            raise click.BadParameter(f"{error.message}{question}", ctx, param) from None


_UNITS = {quantity.name: quantity.unit for quantity in QUANTITIES}
_SHOWN_IN = {"degrees": "angles", "singular values": "rank"}
"""Which picture shows quantities of a unit; those of others, all of them, are in the one of norms."""
SPREADS = ("range", "sd")
PICTURES = "\n".join(_told(name, kind) for name, kind in KINDS.items())


@click.command(
    cls=Command,
    epilog=f"""\b
Pictures, and in brackets what a run must have been trained with:
{PICTURES}

\b
Examples:
  bdfa plot runs/dfa
  bdfa plot runs/bp runs/dfa -o rules.pdf
  bdfa plot luo-mnist --cells 1x400 --what curves -o curves.svg
  bdfa plot runs/dfa --what confusion -o confusion.png
  bdfa plot runs/bp runs/dfa --what angles --label BP --label DFA
  bdfa plot runs/dfa --what film -o dfa.mp4 --fps 5
  bdfa plot runs/dfa --what errors --count 24 --width 7
What each shows, and the same in a notebook: docs/figures.md.""",
)
@click.argument("named", nargs=-1, required=True, metavar="RUN|STUDY ...")
@click.option(
    "--what",
    type=Named(list(KINDS)),
    default="curves",
    show_default=True,
    metavar="PICTURE",
    help="Which picture; see below.",
)
@click.option(
    "-o",
    "--output",
    type=OutputPath(),
    metavar="FILE",
    help="The picture's file: PNG, SVG or PDF by its suffix, of a film GIF, WebP or MP4.  [default: WHAT.png or .gif, "
    "if there is none yet]",
)
@click.option("--show", is_flag=True, help="Show it in a window; with -o it is written too.")
@click.option(
    "--cells",
    multiple=True,
    metavar="PATTERN",
    help="Only cells of a study of which the name or a label fits, as in '1x400' or '*/bdfa'; as often as you like.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Of a study the runs that were shortened to so many epochs.")
@click.option("--label", "labels", multiple=True, metavar="TEXT", help="What the first is called, the second, ...")
@click.option("--spread", type=click.Choice(SPREADS), help="What a band over seeds is (curves).  [default: range]")
@click.option(
    "--quantity",
    type=Named([quantity.name for quantity in QUANTITIES if quantity.name != "meaningful"]),
    metavar="NAME",
    help="Which alone of those that are tracked (angles, norms, rank): docs/diagnostics.md names them.",
)
@click.option(
    "--count", type=click.IntRange(min=1), help="How many units, images or samples (features, errors, embedding)."
)
@click.option("--width", type=click.FloatRange(min=2, max=40), help="Inches that it is wide.  [default: 3.5]")
@click.option(
    "--fps", type=click.FloatRange(min=0.1, max=50), help="Frames a second of a film.  [default: it lasts 10 s]"
)
@trust_option
@debug_option
def plot(
    named: Sequence[str],
    what: str,
    output: Path | None,
    show: bool,
    cells: Sequence[str],
    epochs: int | None,
    labels: Sequence[str],
    spread: str | None,
    quantity: str | None,
    count: int | None,
    width: float | None,
    fps: float | None,
    trust: bool,
) -> None:
    """Draw a picture of runs and studies side by side.

    Each argument is a RUN folder, a STUDY's folder, or the name of a study whose folder is in studies. Runs that differ
    in their seed alone are drawn together, as are the seeds of a study's cell.
    """
    from bdfa_np.cli.display import Display
    from bdfa_np.figures.kinds import draw
    from bdfa_np.figures.style import check_drawing, check_window, save, show_window
    from bdfa_np.figures.subjects import subjects

    kind, display = KINDS[what], Display()
    own = _own_options(what, spread=spread, quantity=quantity, count=count)
    if width is not None:
        own["width"] = width
    file = _file(what, output, show=show, fps=fps)
    by_default = output is None and not show
    check_drawing()  # matplotlib makes folders of its own, so it is sought where the rest can be done
    if show:
        check_window()
    found = subjects(named, cells=cells, labels=labels, epochs=epochs, trust=trust, note=display.note)
    if kind.one_run and len(found) > 1:
        raise ConfigError(
            f"--what {what} is of one run, and {len(found)} are named ({', '.join(one.label for one in found[:5])}): "
            "name one of them"
        )
    if by_default and file is not None and file.exists():
        raise ConfigError(f"{file} is there already: -o {file} to replace it, or name another file with -o")
    if kind.is_film and file is not None:
        from bdfa_np.figures.film import film

        film(found, fps=fps, **own).save(file, progress=display.progress)
        click.echo(file)
        return
    drawn = draw(what, found, **own)
    if file is not None:
        save(drawn, file)
        click.echo(file)
    if show:
        show_window(drawn)


def _own_options(what: str, **given: Any) -> dict[str, Any]:
    """Return the options that are of some pictures alone, seen to be of this one."""
    from bdfa_np.figures.kinds import function_of

    own = {name: value for name, value in given.items() if value is not None}
    for name, value in own.items():
        if name not in signature(function_of(what)).parameters:
            if name == "quantity":
                shown_in = _SHOWN_IN.get(_UNITS[value], "norms")
                raise ConfigError(f"--quantity {value} has no part in --what {what}: add --what {shown_in}")
            raise ConfigError(f"--{name} has no part in --what {what}: leave it out")
    return own


def _file(what: str, output: Path | None, *, show: bool, fps: float | None) -> Path | None:
    """Return where a picture or a film goes, seen to be possible; None where it is only shown."""
    from bdfa_np.figures.style import check_picture

    if KINDS[what].is_film:
        from bdfa_np.figures.film.reels import check_reel

        if show:
            raise ConfigError("--show is of pictures: write the film to a file, which browsers show")
        return check_reel(output) if output is not None else _own_file(f"{what}.gif")
    if fps is not None:
        raise ConfigError(f"--fps is of a film, and {what} is a picture: leave it out, or give --what film")
    if output is not None:
        return check_picture(output)
    return None if show else _own_file(f"{what}.png")


def _own_file(name: str) -> Path:
    """Return the file of a name that nobody has typed."""
    return OutputPath().convert(name, None, None)
