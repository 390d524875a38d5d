"""A page from a template, with its raw tables and pictures beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from bdfa_np.errors import ConfigError, UserError
from bdfa_np.report.markdown.filling import Picture, filled
from bdfa_np.report.markdown.gathering import gathered
from bdfa_np.report.markdown.raw import RawTables, files, is_raw
from bdfa_np.runs.folder import RunFolder
from bdfa_np.study.description import COPY
from bdfa_np.study.table.source import FOLDER, found_study
from bdfa_np.system.outputs import open_output, write_output
from bdfa_np.system.paths import check_folder, check_output, user_path


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
    place, folder = user_path(named, "a study"), output.with_suffix("")
    _check_places(output, template, folder)
    if is_raw(place):
        if cells or epochs is not None:
            raise ConfigError(f"--cells and --epochs choose runs, and {named} holds tables: leave them out")
        study_folder = FOLDER / named
        if place.name == named and (study_folder / COPY).is_file():
            raise ConfigError(
                f"{named} is a folder of tables here, and a study in {study_folder}: name ./{named} or {study_folder}"
            )
        _made_again(place, output, template)
        return
    if place.is_dir() and not RunFolder(place).is_vacant:
        raise ConfigError(f"{named} is a run, and a page from a template is of a study: name a study, or its folder")
    study, place = found_study(named, trust=trust)
    stage("reading the runs")
    tables = gathered(study, place, cells=cells, epochs=epochs)
    text, pictures = filled(template, tables, folder.name)
    _check_files(folder, pictures)
    from bdfa_np.figures.style import save

    drawn = []
    for one in pictures:
        stage(f"drawing {one.file}")
        drawn.append((folder / one.file, _drawn(place, one, epochs=epochs, trust=trust, note=stage)))
    tables.write(folder)
    for file, figure in drawn:
        save(figure, file)
    write_output(output, text)


def _made_again(source: Path, output: Path, template: Path) -> None:
    """Make a page from tables; where it is another page than theirs, they and its pictures are copied beside it."""
    folder = output.with_suffix("")
    text, pictures = filled(template, RawTables.read(source), folder.name)
    missing = [source / one.file for one in pictures if not (source / one.file).is_file()]
    if missing:
        raise ConfigError(f"there is no {missing[0]}: name the study in place of {source} to have it drawn")
    if not (folder.is_dir() and folder.samefile(source)):
        _check_files(folder, pictures)
        folder.mkdir(exist_ok=True)
        for name in (*(file.name for file in files(source).values()), *(one.file for one in pictures)):
            with open_output(folder / name) as copy:
                copy.write((source / name).read_bytes())
    write_output(output, text)


def _check_places(output: Path, template: Path, folder: Path) -> None:
    """Refuse a page in place of its template, and a folder that is none or a study's own."""
    if output.exists() and template.exists() and output.samefile(template):
        raise ConfigError(f"{output} is the template, which the page would replace: name another file")
    check_folder(folder, "the folder of the page's tables", new=True)
    if (folder / COPY).is_file():
        raise ConfigError(f"{folder} is a study's own folder, and the page's tables would go there: name another page")


def _check_files(folder: Path, pictures: Sequence[Picture]) -> None:
    """Refuse a folder that a file cannot be written into, before any is."""
    if folder.is_dir():
        for file in (*files(folder).values(), *(folder / one.file for one in pictures)):
            check_output(file, "a file beside the page")


def _drawn(place: Path, picture: Picture, *, epochs: int | None, trust: bool, note: Callable[[str], None]) -> Any:
    """Return a picture that a template asks for."""
    from bdfa_np.figures.kinds import draw, function_of
    from bdfa_np.figures.subjects import subjects

    own = [one.name for one in signature(function_of(picture.kind)).parameters.values() if _is_option(one)]
    options = [*own, "width"]  # which every picture has
    unknown = [name for name in picture.options if name not in options]
    if unknown:
        known = f"its options are {', '.join(options)}"
        raise ConfigError(f"{picture.file}: {unknown[0]} has no part in a picture of {picture.kind}: {known}")
    try:
        found = subjects(place, cells=picture.cells, epochs=epochs, trust=trust, note=note)
        return draw(picture.kind, found, **picture.options)
    except (UserError, TypeError, ValueError) as error:
        raise ConfigError(f"{picture.file} cannot be drawn: {error}") from error


def _is_option(parameter: Parameter) -> bool:
    return parameter.kind is Parameter.KEYWORD_ONLY and parameter.name != "axes"
