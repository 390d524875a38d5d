"""``bdfa report``: a page on runs or on a study."""

from collections.abc import Sequence
from pathlib import Path

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.options import debug_option, trust_option
from bdfa_np.cli.paths import InputPath, OutputPath


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  bdfa report runs/dfa -o dfa.html
  bdfa report runs/bp runs/dfa -o both.html
  bdfa report luo-mnist -o luo.html
  bdfa report studies/sweep --cells '1x400/*' -o sweep.html
  bdfa report studies/sweep --template page.md.jinja -o page.md""",
)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...|STUDY")
@click.option("-o", "--output", type=OutputPath(), required=True, metavar="FILE", help="The page, whole or not at all.")
@click.option(
    "--cells",
    multiple=True,
    metavar="PATTERN",
    help="Only cells of the study of which the name or a label fits, as in '1x400'; as often as you like.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Runs of the study that were shortened to so many epochs.")
@click.option(
    "--template",
    type=InputPath(),
    metavar="FILE",
    help="Fill in a Markdown page of your own on one study instead, with tables and pictures in a folder beside it; "
    "docs/report.md says how. Such a folder in place of the study makes the page again without runs.",
)
@trust_option
@debug_option
def report(
    runs: Sequence[str], output: Path, cells: Sequence[str], epochs: int | None, template: Path | None, trust: bool
) -> None:
    """Write a page on runs, or on a study.

    A RUN is a run folder; a STUDY is named by its folder, its name or its file. The page is one HTML file that needs no
    network: settings, results, error curves, what was measured with --track, what the nets look at, confusion, the
    images that were got most wrong, versions and machines, and the commands that repeat it. A reader may choose what is
    shown, sort tables, and print it. With --template it is Markdown of your own instead. It needs the extra 'report'.
    """
    from bdfa_np.cli.display import Display
    from bdfa_np.report.writing import write_report

    write_report(runs, output, cells=cells, epochs=epochs, template=template, trust=trust, progress=Display().progress)
    if template is not None:
        click.echo(f"{output}: its tables and pictures are in {output.with_suffix('')}", err=True)
    elif output.is_file():
        size = output.stat().st_size
        click.echo(f"{output}: {f'{size / 1e6:.1f} MB' if size >= 1e5 else f'{size / 1e3:.0f} kB'}", err=True)
