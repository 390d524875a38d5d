"""A page's template, filled in."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import Any
from urllib.parse import quote

from bdfa_np.errors import ConfigError, UserError
from bdfa_np.figures.kinds import KINDS
from bdfa_np.figures.style import check_picture
from bdfa_np.report.markdown.cells import PageCell, Sample, cells_of, fitting, mean_of, recovery
from bdfa_np.report.markdown.raw import RawTables, number
from bdfa_np.study.statistics import p_text
from bdfa_np.study.table.sheet import literal

DECIMALS = 2
NOT_RUN = "not run"
"""What stands where there is no number."""
UNKNOWN = "unknown"
"""What stands for a p-value where there is no test: of too few runs, or of runs that are all the same."""


@dataclass(frozen=True)
class Picture:
    """A picture that a template asks for.

    Attributes
    ----------
    kind : str
        Of `bdfa_np.figures.kinds.KINDS`.
    file : str
        The name of its file, which lies beside the raw tables.
    cells : sequence of str
        The names of the cells that it is of.
    options : dict
        As its function takes them.
    """

    kind: str
    file: str
    cells: Sequence[str]
    options: dict[str, Any] = field(default_factory=dict)


def filled(template: Path, tables: RawTables, folder: str) -> tuple[str, list[Picture]]:
    """Fill in a template.

    Parameters
    ----------
    template : Path
        Markdown with Jinja's placeholders; what it includes lies in its folder.
    tables : RawTables
        What its numbers come from.
    folder : str
        The folder of its pictures as the page names it.

    Returns
    -------
    str, list of Picture
        The page, and the pictures that it shows.

    Raises
    ------
    ConfigError
        If the template cannot be read or filled in: in which line, and why.
    """
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    _check_template(template)
    folder_of_templates = jinja2.FileSystemLoader(template.parent, encoding="utf-8")
    loaded: list[str] = []

    def load(name: str) -> tuple[str, str, Callable[[], bool]]:
        try:
            source, file, is_current = folder_of_templates.get_source(environment, name)
        except jinja2.TemplateNotFound:
            raise
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{template.parent / name} cannot be read ({error}): write it in UTF-8") from error
        loaded.append(file)
        return source, file, is_current

    asked: list[Picture] = []
    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.FunctionLoader(load),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=shown,
    )
    cells = cells_of(tables)
    environment.filters |= {
        "decimals": decimals,
        "signed": signed,
        "p": p_value,
        "duration": duration,
        "literal": literal,
    }
    environment.globals |= {
        "cells": lambda *patterns: fitting(cells, patterns),
        "cell": partial(_one, cells),
        "recovery": recovery,
        "mean_of": mean_of,
        "picture": _pictures(cells, asked, folder),
        "runs": tables.runs,
        "epochs": tables.epochs,
        "layers": tables.layers,
        "study": tables.cells[0]["study"],
    }
    try:
        return environment.get_template(template.name).render(), asked
    except jinja2.TemplateSyntaxError as error:
        raise ConfigError(f"{error.filename or template}, line {error.lineno}: {error.message}") from error
    except jinja2.TemplateNotFound as error:
        missing = f"there is no {error.name} in {template.parent}"
        raise ConfigError(f"{_place(error, loaded) or template}: {missing}") from error
    except (jinja2.TemplateError, UserError, *_FAULTS) as error:
        raise ConfigError(f"{_place(error, loaded) or template}: {error}") from error


_FAULTS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What expressions of a template may raise."""


def _check_template(template: Path) -> None:
    if template.is_dir():
        raise ConfigError(f"{template} is a folder: name a template, a file with the text of a page")
    if not template.is_file():
        raise ConfigError(f"there is no template {template}: name a file with the text of a page")


def shown(value: Any) -> Any:
    """Return what a placeholder prints: a number with two decimals, a sample as mean ± deviation (number of runs)."""
    from jinja2 import Undefined

    if isinstance(value, Sample):
        if value.mean is None:
            return NOT_RUN
        spread = f" ± {decimals(value.sd)}" if value.sd is not None else ""
        return f"{decimals(value.mean)}{spread} ({value.n})"
    if isinstance(value, tuple) and len(value) == 2:
        return f"{decimals(value[0])} to {decimals(value[1])}"
    if isinstance(value, float):
        return decimals(value)
    if callable(value) and not isinstance(value, Undefined):
        raise TypeError("a function stands where its value is wanted: write its parentheses, as in cell.after(1)")
    return NOT_RUN if value is None else value


def decimals(value: float | Sample | str | None, count: int = DECIMALS) -> str:
    """Return a number, a sample's mean, or a number of a raw table, with some decimals."""
    found = _number(value)
    return NOT_RUN if found is None else f"{round(found, count) + 0.0:.{count}f}"


def signed(value: float | Sample | str | None, count: int = DECIMALS) -> str:
    """Return a difference with its sign."""
    text, found = decimals(value, count), _number(value)
    return f"+{text}" if found is not None and float(text) > 0 else text


def p_value(value: float | None) -> str:
    """Return a p-value."""
    return UNKNOWN if value is None else p_text(value)


def duration(seconds: float | Sample | str | None) -> str:
    """Return how long something took."""
    found = _number(seconds)
    if found is None:
        return NOT_RUN
    if found < 120:
        return f"{found:.1f} s" if found < 10 else f"{found:.0f} s"
    minutes = round(found / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"


def _number(value: float | Sample | str | None) -> float | None:
    if isinstance(value, Sample):
        return value.mean
    return number(value) if isinstance(value, str) else value


def _one(cells: Sequence[PageCell], name: str) -> PageCell:
    found = [cell for cell in cells if cell.name == name]
    if not found:
        raise ConfigError(f"there is no cell {name!r}: there are {', '.join(cell.name for cell in cells)}")
    return found[0]


def _pictures(cells: Sequence[PageCell], asked: list[Picture], folder: str) -> Callable[..., str]:
    def picture(kind: str, file: str, alt: str, *patterns: str, **options: Any) -> str:
        if PureWindowsPath(file).name != file:  # which knows both separators
            raise ConfigError(f"the picture {file} would not lie beside the tables: name a file without a folder")
        check_picture(Path(file))
        if kind not in KINDS or KINDS[kind].is_film:
            kinds = ", ".join(name for name, one in KINDS.items() if not one.is_film)
            raise ConfigError(f"{file}: there is no picture {kind!r}: choose from {kinds}")
        wanted = Picture(kind, file, [cell.name for cell in fitting(cells, patterns)], options)
        if any(one.file == file and one != wanted for one in asked):
            raise ConfigError(f"two pictures have the file {file}: name another one")
        if wanted not in asked:
            asked.append(wanted)
        return f"![{alt}]({quote(f'{folder}/{file}')})"

    return picture


def _place(error: BaseException, loaded: Sequence[str]) -> str:
    """Return in which template and line an error was met."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if one.filename in loaded]
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
