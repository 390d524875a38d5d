"""A report written: what is asked for, and the file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bdfa_np.errors import ConfigError
from bdfa_np.report.markdown.writing import write_page
from bdfa_np.report.material import place_of
from bdfa_np.system.extras import install_command
from bdfa_np.system.outputs import write_output
from bdfa_np.system.paths import check_input, check_output, user_path
from bdfa_np.system.progress import stages

NEEDED = {"jinja2": "jinja2", "altair": "altair", "vl_convert": "vl-convert-python", "matplotlib": "matplotlib"}
"""What the extra ``report`` brings, by how it is imported."""
SUFFIXES = (".html", ".htm")
MARKDOWN = (".md", ".markdown")
OF_TEMPLATE = ("jinja2", "matplotlib")
"""What a page from a template needs of it."""


def write_report(
    runs: Any,
    output: str | os.PathLike[str],
    *,
    cells: str | Sequence[str] = (),
    epochs: int | None = None,
    template: str | os.PathLike[str] | None = None,
    trust: bool = False,
    progress: bool = False,
) -> Path:
    """Write a page on runs or on a study: one HTML file that needs no network.

    It has what was run, the results, error curves, what was measured with ``--track``, features, confusion, the images
    that were got most wrong, the environment, and the commands that repeat it. The same runs give the same bytes.

    With a template it is a page of your own on one study, in Markdown, whose numbers are filled in: docs/report.md says
    with what. Beside ``page.md`` a folder ``page`` has the raw tables, as CSV, and the pictures; named in place of the
    study, it makes the page again without the runs, byte for byte.

    Parameters
    ----------
    runs : path, TrainingResult or Study, or sequence of these
        Run folders, or what `bdfa_np.train` returned with ``save``; or one study: its folder, its name where it was run
        in ``studies``, or itself. With a template a study, or the folder of tables beside such a page.
    output : path
        The file, ``.html`` or ``.htm``, and with a template ``.md``, which is written whole or not at all.
    cells : str or sequence of str, optional
        Patterns: only cells of the study whose name or a label fits one.
    epochs : int, optional
        Of a study the runs that were shortened to so many epochs.
    template : path, optional
        A Markdown page with Jinja's placeholders, in UTF-8; what it includes lies in its folder. In Jinja's sandbox it
        sees the tables alone, and cannot change them.
    trust : bool, default False
        Whether a net or a rule may be run that comes from a file which you have never named; see `load_run`. What
        needs it is left out otherwise, and the page says so.
    progress : bool, default False
        Whether standard error shows what is being done.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ConfigError, RunError, StudyError, DataError
        Whatever a user can mend, in one line; the extra ``report`` that is not installed among it.
    """
    is_one = isinstance(runs, (str, os.PathLike)) or not isinstance(runs, Iterable)
    named = [runs] if is_one else list(runs)
    chosen = [cells] if isinstance(cells, str) else cells
    if template is not None:
        check_reporting(OF_TEMPLATE)
        path = check_page(check_output(output, "the report"), MARKDOWN)
        source = user_path(template, "the template")
        check_input(source, "the template")
        with stages(progress) as stage:
            write_page(_one_study(named), path, source, cells=chosen, epochs=epochs, trust=trust, stage=stage)
        return path
    check_reporting()
    from bdfa_np.report.page import rendered
    from bdfa_np.report.sections import page_of

    path = check_page(check_output(output, "the report"))
    with stages(progress) as stage:
        page = page_of(named, cells=chosen, epochs=epochs, trust=trust, stage=stage)
        stage("writing the page")
        write_output(path, rendered(page))
    return path


def _one_study(named: Sequence[Any]) -> str:
    """Return the study that a page from a template is of, by its folder, name or file."""
    if len(named) != 1:
        raise ConfigError(f"a page from a template is of one study, and {len(named)} are named: name one")
    return place_of(named[0])


def check_page(path: Path, suffixes: Sequence[str] = SUFFIXES) -> Path:
    """Return a report's path; raise `ConfigError` where a file of this name would not be opened as a page.

    A page from a template has a folder beside it, and is no device.
    """
    is_file = path.is_file() or not path.exists()  # else a device or a pipe, whose name says nothing
    if (is_file or suffixes == MARKDOWN) and path.suffix.lower() not in suffixes:
        other = "which a browser prints to PDF" if suffixes == SUFFIXES else "or leave --template out for HTML"
        what = "a report" if suffixes == SUFFIXES else "a page from a template"
        raise ConfigError(f"{path}: {what} is written as {' or '.join(suffixes)}: name such a file, {other}")
    return path


def check_reporting(modules: Iterable[str] = NEEDED) -> None:
    """Raise `ConfigError` unless all that a report is made with is installed."""
    missing = [NEEDED[module] for module in modules if find_spec(module) is None]
    if missing:
        raise ConfigError(
            f"a report needs {', '.join(missing)}: install what is missing with {install_command('report')}"
        )
