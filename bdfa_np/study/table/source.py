"""Which study, and which folder of runs, somebody means who wants a table."""

import os
from pathlib import Path

from bdfa_np.errors import StudyError
from bdfa_np.study.description import COPY, Study, load_copy, load_study, published_names
from bdfa_np.system.paths import user_path

FOLDER = Path("studies")
"""Where studies have their folders unless others are named."""


def found_study(text: str, save: Path | None = None, *, trust: bool = False) -> tuple[Study, Path]:
    """Return a study and its folder.

    Parameters
    ----------
    text : str
        A folder in which a study was run; a name, of a published study or of a folder in ``studies``; or a TOML file.
    save : Path, optional
        The study's folder where it is not ``studies/NAME``.
    trust : bool, default False
        As `load_study` has it.

    Raises
    ------
    StudyError
        If there is no such study, or it is malformed.
    UntrustedError
        As from `load_study`.
    """
    is_name = text in published_names()
    path = user_path(text, "a study")
    if (path / COPY).is_file():
        return load_copy(path, trust=trust), save or path
    if path.is_dir() and not is_name:
        raise StudyError(f"no study was run in {path}, for it holds no {COPY}: name its file, and {path} by --save")
    if not is_name and os.path.basename(text) == text and (FOLDER / text / COPY).is_file() and not path.exists():
        return load_copy(FOLDER / text, trust=trust), save or FOLDER / text
    study = load_study(text, trust=trust)
    return study, save or FOLDER / study.name
