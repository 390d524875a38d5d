"""``bdfa study show``: a study's published numbers, its exact settings and what its source leaves open."""

import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.declared import wrapped
from bdfa_np.cli.options import debug_option, trust_option

if TYPE_CHECKING:
    from bdfa_np.study.description import Cell, Study

WIDEST = 100
"""Columns beyond which lines are hard to read, however wide the terminal is."""
MOST_COLUMNS = 8
"""A study of two axes is a table of rows and columns if it has no more of these."""


@click.command(
    "show",
    cls=Command,
    epilog="""\b
Examples:
  bdfa study show luo-mnist
  bdfa study show sweep.toml
  bdfa study show luo-mnist --toml > mine.toml""",
)
@click.argument("study", metavar="NAME|FILE")
@click.option("--toml", "as_toml", is_flag=True, help="Print the study's file as it is.")
@trust_option
@debug_option
def study_show(study: str, as_toml: bool, trust: bool) -> None:
    """Show a study: its cells, its settings, what was published.

    It is one of the package's by its NAME, or one of your own in a FILE. Shown is what was published for each cell, the
    settings as bdfa train takes them, and what their source leaves open.
    """
    from bdfa_np.study.description import file_text, load_study

    if as_toml:
        click.echo(file_text(study), nl=False)
        return
    described = load_study(study, trust=trust)
    width = min(shutil.get_terminal_size().columns, WIDEST)
    for line in shown(described, width):
        click.echo(line)


def shown(study: "Study", width: int) -> Iterator[str]:
    """Yield all lines, of at most a width but for what is to be copied."""
    from bdfa_np.study.search.lines import settings_lines
    from bdfa_np.system.text import counted

    yield wrapped(study.title or study.name, width)
    if study.source:
        yield wrapped(study.source, width, "source: ", "  ")
    seeds = f"{counted(len(study.seeds), 'seed')} ({_listed(study.seeds)})"
    yield wrapped(
        f"{counted(len(study.cells), 'cell')}, {seeds}; reports {', '.join(study.report)} {study.measure}", width
    )
    yield from ("", *published(study, width))
    if study.notes:
        yield ""
        yield "What the source leaves open, and how it is settled here:"
        for note in study.notes:
            yield wrapped(note, width, "- ", "  ")
    yield from ("", *settings(study, width))
    for line in settings_lines(study):
        yield wrapped(line, width, "", "  ")


def _listed(seeds: Sequence[int]) -> str:
    """Return seeds, those in a row shortened."""
    in_row = len(seeds) > 3 and tuple(seeds) == tuple(range(seeds[0], seeds[0] + len(seeds)))
    return f"{seeds[0]} to {seeds[-1]}" if in_row else ", ".join(map(str, seeds))


def published(study: "Study", width: int) -> Iterator[str]:
    """Yield the published figures: rows and columns for two axes, else a row a cell."""
    from bdfa_np.tables import Table

    figures = [figure for cell in study.cells for figure in (cell.published, cell.published_sd) if figure is not None]
    if not figures:
        yield "no numbers were published for its cells"
        return
    places = max(len(repr(figure).partition(".")[2].rstrip("0")) for figure in figures)
    title = f"published {study.measure}, in percent"
    firsts, seconds = ([], []) if len(study.axes) != 2 else (_labels(study, axis) for axis in range(2))
    by_labels = {cell.labels: cell for cell in study.cells}
    if firsts and len(seconds) <= MOST_COLUMNS and len(by_labels) == len(firsts) * len(seconds):
        rows = [[first, *(_figure(by_labels[first, second], places) for second in seconds)] for first in firsts]
        yield Table([study.axes[0], *seconds], rows, title=title, right=seconds).to_text(width)
    else:
        rows = [[*cell.labels, _figure(cell, places)] for cell in study.cells]
        yield Table([*study.axes, "published"], rows, title=title, right=["published"]).to_text(width)
    for cell in study.cells:
        if cell.note:
            yield wrapped(cell.note, width, f"{cell.name}: ", "  ")


def _labels(study: "Study", axis: int) -> list[str]:
    return list(dict.fromkeys(cell.labels[axis] for cell in study.cells))


def _figure(cell: "Cell", places: int) -> str:
    """Return what was published with as many decimals as its source has; a file of numbers drops zeros at the end."""
    if cell.published is None:
        return "-"
    mean = f"{cell.published:.{places}f}"
    return mean if cell.published_sd is None else f"{mean} ± {cell.published_sd:.{places}f}"


def settings(study: "Study", width: int) -> Iterator[str]:
    """Yield the options as one would type them: those of all cells, then of each label, or else of each cell."""
    from bdfa_np.study.description import common_options

    base = common_options(study)
    yield "Settings of all cells, as bdfa train takes them, beside its defaults:"
    yield from _typed(base, width)
    by_axes = _by_axes(study, base)
    if by_axes is None:
        yield "and of each cell:"
        own = {cell.name: {k: v for k, v in cell.options.items() if k not in base} for cell in study.cells}
        yield from _listed_options(own, width)
    else:
        for axis, labels in by_axes.items():
            yield f"and of each {axis}:"
            yield from _listed_options(labels, width)
    first = study.cells[0]
    lines = _typed({**first.options, "seed": study.seeds[0]}, width - 2, "  bdfa train ", "    ")
    yield f"So {first.name} with seed {study.seeds[0]} is:"
    yield " \\\n".join(lines)


def _words(options: Mapping[str, Any]) -> list[list[str]]:
    from bdfa_np.options.spelled import words

    return words(options)


def _typed(options: Mapping[str, Any], width: int, begin: str = "  ", indent: str = "  ") -> list[str]:
    """Return options in lines that are broken between them alone."""
    lines = [begin]
    for word in map(shlex.join, _words(options)):
        if len(lines[-1]) + len(word) > width and lines[-1].strip():
            lines.append(indent)
        lines[-1] += f"{word} "
    return [line.rstrip() for line in lines]


def _listed_options(named: Mapping[str, Mapping[str, Any]], width: int) -> Iterator[str]:
    room = min(max(map(len, named)), width // 3)
    for name, options in named.items():
        begin = f"  {name:{room}}  "
        yield from _typed(options, width, begin, " " * (room + 4))


def _by_axes(study: "Study", base: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]] | None:
    """Return the options that each label stands for, axis by axis; None where a cell has others besides."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for number, axis in enumerate(study.axes):
        found[axis] = {label: _shared(study, number, label, base) for label in _labels(study, number)}
    for cell in study.cells:
        together = dict(base)
        for axis, label in zip(study.axes, cell.labels, strict=True):
            together |= found[axis][label]
        if together != cell.options:
            return None
    return found


def _shared(study: "Study", axis: int, label: str, base: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that all cells of a label have with one value, and not all other cells have."""
    options = [cell.options for cell in study.cells if cell.labels[axis] == label]
    return {
        name: value
        for name, value in options[0].items()
        if name not in base and all(name in one and one[name] == value for one in options[1:])
    }
