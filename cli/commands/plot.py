"""``bdfa plot``: pictures of runs and studies."""

from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import click

from bdfa_np.cli.options import Command, debug_option, trust_option
from bdfa_np.cli.paths import OutputPath
from bdfa_np.diagnostics.quantities import QUANTITIES
from bdfa_np.errors import ConfigError
from bdfa_np.figures.kinds import KINDS, Kind


def _told(name: str, kind: Kind) -> str:
    needs = f" ({kind.needs})" if kind.needs else ""
    return f"  {name:9} {kind.summary}{needs}"


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
  bdfa plot runs/dfa --what errors --count 24 --width 7
What each shows, and the same in a notebook: docs/figures.md.""",
)
@click.argument("named", nargs=-1, required=True, metavar="RUN|STUDY ...")
@click.option(
    "--what",
    type=click.Choice(list(KINDS)),
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
    help="The picture's file: PNG, SVG or PDF, by its suffix.  [default: WHAT.png, if there is none yet]",
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
    type=click.Choice([quantity.name for quantity in QUANTITIES if quantity.name != "meaningful"]),
    metavar="NAME",
    help="Which alone of those that are tracked (angles, norms, rank): docs/diagnostics.md names them.",
)
@click.option(
    "--count", type=click.IntRange(min=1), help="How many units, images or samples (features, errors, embedding)."
)
@click.option("--width", type=click.FloatRange(min=2, max=40), help="Inches that it is wide.  [default: 3.5]")
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
    trust: bool,
) -> None:
    """Draw a picture of runs and studies side by side.

    Each argument is a RUN folder, a STUDY's folder, or the name of a study whose folder is in studies. Runs that differ
    in their seed alone are drawn together, as are the seeds of a study's cell.
    """
    from bdfa_np.cli.display import Display
    from bdfa_np.figures.kinds import draw, function_of
    from bdfa_np.figures.style import check_drawing, check_picture, check_window, save, show_window
    from bdfa_np.figures.subjects import subjects

    check_drawing()
    own: dict[str, Any] = {
        name: value for name, value in {"spread": spread, "quantity": quantity, "count": count}.items() if value
    }
    for name in own:
        if name not in signature(function_of(what)).parameters:
            raise ConfigError(f"--{name} has no part in --what {what}: leave it out")
    if width is not None:
        own["width"] = width
    file = check_picture(output) if output is not None else None
    if show:
        check_window()
    elif file is None:
        file = _unused(f"{what}.png")
    found = subjects(named, cells=cells, labels=labels, epochs=epochs, trust=trust, note=Display().note)
    if KINDS[what].one_run and len(found) > 1:
        raise ConfigError(
            f"--what {what} is of one run, and {len(found)} are named ({', '.join(one.label for one in found[:5])}): "
            "name one of them"
        )
    drawn = draw(what, found, **own)
    if file is not None:
        save(drawn, file)
        click.echo(file)
    if show:
        show_window(drawn)


def _unused(name: str) -> Path:
    """Return the file of a name that nobody has typed; refuse to replace one."""
    file = OutputPath().convert(name, None, None)
    if file.exists():
        raise ConfigError(f"{file} is there already: name a file with -o, which is replaced where it is there")
    return file
