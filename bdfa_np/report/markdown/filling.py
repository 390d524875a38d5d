"""A page's template, filled in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bdfa_np.errors import ConfigError
from bdfa_np.report.markdown.cells import PageCell, Sample, cells_of, fitting, mean_of, recovery
from bdfa_np.report.markdown.raw import RawTables

DECIMALS = 2
NOT_RUN = "not run"


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
        Of which cells it is.
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
    from jinja2.sandbox import SandboxedEnvironment

    asked: list[Picture] = []
    environment = SandboxedEnvironment(
        loader=jinja2.FileSystemLoader(template.parent, encoding="utf-8"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=shown,
    )
    cells = cells_of(tables)
    environment.filters |= {"decimals": decimals, "signed": signed, "p": p_value, "duration": duration}
    environment.globals |= {
        "cells": lambda *patterns: fitting(cells, patterns),
        "cell": partial(_one, cells),
        "recovery": recovery,
        "mean_of": mean_of,
        "picture": _pictures(asked, folder),
        "runs": tables.runs,
        "epochs": tables.epochs,
        "layers": tables.layers,
        "study": tables.cells[0]["study"],
    }
    try:
        return environment.get_template(template.name).render(), asked
    except jinja2.TemplateSyntaxError as error:
        raise ConfigError(
            f"{template.parent / (error.name or template.name)}, line {error.lineno}: {error.message}"
        ) from error
    except jinja2.TemplateNotFound as error:
        raise ConfigError(f"{template}: there is no {error} in {template.parent}") from error
    except (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ConfigError(f"{template}{_line(error, template)}: {error}") from error


def shown(value: Any) -> Any:
    """Return what a placeholder prints: a number with two decimals, a sample as mean ± deviation (number of runs)."""
    if isinstance(value, Sample):
        if value.mean is None:
            return NOT_RUN
        spread = f" ± {decimals(value.sd)}" if value.sd is not None else ""
        return f"{decimals(value.mean)}{spread} ({value.n})"
    if isinstance(value, tuple) and len(value) == 2:
        return f"{decimals(value[0])} to {decimals(value[1])}"
    if isinstance(value, float):
        return decimals(value)
    return NOT_RUN if value is None else value


def decimals(value: float | Sample | None, count: int = DECIMALS) -> str:
    """Return a number, or a sample's mean, with some decimals."""
    number = value.mean if isinstance(value, Sample) else value
    return NOT_RUN if number is None else f"{round(number, count) + 0.0:.{count}f}"


def signed(value: float | None, count: int = DECIMALS) -> str:
    """Return a difference with its sign."""
    text = decimals(value, count)
    return f"+{text}" if value is not None and float(text) > 0 else text


def p_value(value: float | None) -> str:
    """Return a p-value."""
    if value is None:
        return NOT_RUN
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def duration(seconds: float | Sample | None) -> str:
    """Return how long something took."""
    number = seconds.mean if isinstance(seconds, Sample) else seconds
    if number is None:
        return NOT_RUN
    if number < 120:
        return f"{number:.1f} s" if number < 10 else f"{number:.0f} s"
    minutes = round(number / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"


def _one(cells: Sequence[PageCell], name: str) -> PageCell:
    found = [cell for cell in cells if cell.name == name]
    if not found:
        raise ConfigError(f"there is no cell {name!r}: there are {', '.join(cell.name for cell in cells)}")
    return found[0]


def _pictures(asked: list[Picture], folder: str) -> Callable[..., str]:
    def picture(kind: str, file: str, alt: str, *cells: str, **options: Any) -> str:
        asked.append(Picture(kind, file, cells, options))
        return f"![{alt}]({folder}/{file})"

    return picture


def _line(error: BaseException, template: Path) -> str:
    """Return where in a template an error was met."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(template):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f", line {line}" if line else ""
