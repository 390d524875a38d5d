"""A report written: what is asked for, and the file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bdfa_np.errors import ConfigError
from bdfa_np.system.extras import install_command
from bdfa_np.system.outputs import write_output
from bdfa_np.system.paths import check_output
from bdfa_np.system.progress import stages

NEEDED = {"jinja2": "jinja2", "altair": "altair", "vl_convert": "vl-convert-python", "matplotlib": "matplotlib"}
"""What the extra ``report`` brings, by how it is imported."""
SUFFIXES = (".html", ".htm")


def write_report(
    runs: Any,
    output: str | os.PathLike[str],
    *,
    cells: str | Sequence[str] = (),
    epochs: int | None = None,
    trust: bool = False,
    progress: bool = False,
) -> Path:
    """Write a page on runs or on a study: one HTML file that needs no network.

    It has what was run, the results, error curves, what was measured with ``--track``, features, confusion, the images
    that were got most wrong, the environment, and the commands that repeat it. The same runs give the same bytes.

    Parameters
    ----------
    runs : path, TrainingResult or Study, or sequence of these
        Run folders, or what `bdfa_np.train` returned with ``save``; or one study: its folder, its name where it was run
        in ``studies``, or itself.
    output : path
        The file, ``.html`` or ``.htm``, which is written whole or not at all.
    cells : str or sequence of str, optional
        Patterns: only cells of the study whose name or a label fits one.
    epochs : int, optional
        Of a study the runs that were shortened to so many epochs.
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
    check_reporting()
    from bdfa_np.report.page import rendered
    from bdfa_np.report.sections import page_of

    path = check_page(check_output(output, "the report"))
    is_one = isinstance(runs, (str, os.PathLike)) or not isinstance(runs, Iterable)
    named = [runs] if is_one else list(runs)
    chosen = [cells] if isinstance(cells, str) else cells
    with stages(progress) as stage:
        page = page_of(named, cells=chosen, epochs=epochs, trust=trust, stage=stage)
        stage("writing the page")
        write_output(path, rendered(page))
    return path


def check_page(path: Path) -> Path:
    """Return a report's path; raise `ConfigError` where a file of this name would not be opened as a page."""
    is_file = path.is_file() or not path.exists()  # else a device or a pipe, whose name says nothing
    if is_file and path.suffix.lower() not in SUFFIXES:
        raise ConfigError(
            f"{path}: a report is written as {' or '.join(SUFFIXES)}: name such a file, which a browser prints to PDF"
        )
    return path


def check_reporting() -> None:
    """Raise `ConfigError` unless all that a report is made with is installed."""
    missing = [name for module, name in NEEDED.items() if find_spec(module) is None]
    if missing:
        raise ConfigError(
            f"a report needs {', '.join(missing)}: install what is missing with {install_command('report')}"
        )
