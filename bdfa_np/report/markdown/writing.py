"""A page from a template, with its raw tables and pictures beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from bdfa_np.errors import ConfigError
from bdfa_np.report.markdown.filling import Picture, filled
from bdfa_np.report.markdown.gathering import gathered
from bdfa_np.report.markdown.raw import RawTables, is_raw
from bdfa_np.study.table.source import found_study
from bdfa_np.system.outputs import write_output


def write_page(
    named: str,
    output: Path,
    template: Path,
    *,
    cells: Sequence[str],
    epochs: int | None,
    trust: bool,
    stage: Callable[[str], None],
) -> None:
    """Write a page from a template: ``NAME.md``, and in the folder ``NAME`` beside it tables and pictures.

    Parameters
    ----------
    named : str
        A study, or a folder of raw tables, from which a page is made again without its runs.
    output : Path
        The page.
    template : Path
        Its template.
    cells, epochs, trust
        As `bdfa_np.report.writing.write_report` has them.
    stage : callable
        Is told what is being done.

    Raises
    ------
    ConfigError, RunError, StudyError
        In one line, before anything is written.
    """
    folder = output.with_suffix("")
    if is_raw(Path(named)):
        if cells or epochs is not None:
            raise ConfigError(f"--cells and --epochs choose runs, and {named} holds tables: leave them out")
        text, pictures = filled(template, RawTables.read(named), folder.name)
        missing = [one.file for one in pictures if not (folder / one.file).is_file()]
        if missing:
            raise ConfigError(f"there is no {folder / missing[0]}: name the study in place of {named} to have it drawn")
        write_output(output, text)
        return
    study, place = found_study(named, trust=trust)
    stage("reading the runs")
    tables = gathered(study, place, cells=cells, epochs=epochs)
    text, pictures = filled(template, tables, folder.name)
    from bdfa_np.figures.style import check_picture, save

    drawn = []
    for one in pictures:
        stage(f"drawing {one.file}")
        drawn.append((check_picture(folder / one.file), _drawn(place, one, epochs=epochs, trust=trust, note=stage)))
    tables.write(folder)
    for file, figure in drawn:
        save(figure, file)
    write_output(output, text)


def _drawn(place: Path, picture: Picture, *, epochs: int | None, trust: bool, note: Callable[[str], None]) -> Any:
    """Return a picture that a template asks for."""
    from bdfa_np.figures.kinds import KINDS, draw, function_of
    from bdfa_np.figures.subjects import subjects

    if picture.kind not in KINDS or KINDS[picture.kind].is_film:
        kinds = ", ".join(name for name, kind in KINDS.items() if not kind.is_film)
        raise ConfigError(f"{picture.file}: there is no picture {picture.kind!r}: choose from {kinds}")
    unknown = [name for name in picture.options if name not in signature(function_of(picture.kind)).parameters]
    if unknown:
        raise ConfigError(f"{picture.file}: {unknown[0]} has no part in a picture of {picture.kind}: leave it out")
    found = subjects(place, cells=picture.cells, epochs=epochs, trust=trust, note=note)
    return draw(picture.kind, found, **picture.options)
