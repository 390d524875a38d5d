"""Whether every cell of a study can be trained, before anything is: all its options, by themselves and together."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bdfa_np.errors import ConfigError, StudyError
from bdfa_np.extensions import held
from bdfa_np.options.config import Config
from bdfa_np.options.precedence import whole
from bdfa_np.options.tracking import NAMES as TRACKING
from bdfa_np.study.cell import Cell
from bdfa_np.trust.gate import of_file

PATHS = ("dataset", "network", "models_folder", "gradient")
"""Options that may be paths."""


def checked(place: str, cells: Sequence[Cell], *, trust: bool) -> list[Cell]:
    """Return the cells, their options with paths that mean the same from any folder.

    Parameters
    ----------
    place : str
        The file, for messages on code that it names.
    cells : sequence of Cell
        The cells as the file has them.
    trust : bool
        Whether a net or a rule may be run that the file names and the user never did.

    Raises
    ------
    StudyError
        If a cell cannot be trained as its options say, or does what another one does; naming it.
    UntrustedError
        If a net or a rule would be run that the user never named.
    """
    configs = [_typed(cell) for cell in cells]
    files, _ = of_file(place, configs, {}, trust=trust)
    found, seen = [], dict[str, str]()
    with held(files):
        for cell, config in zip(cells, configs, strict=True):
            try:
                resolved = whole(config.resolve())
            except ConfigError as error:
                raise StudyError(f"cell {cell.name}: {error}") from error
            if resolved.epochs == -1:
                raise StudyError(f"cell {cell.name}: epochs = -1 has no end: give a number of 1 or more")
            said = repr(sorted(item for item in resolved.to_mapping().items() if item[0] not in TRACKING))
            if said in seen:
                raise StudyError(
                    f"cells {seen[said]} and {cell.name} come to the same options: leave one out, or change it"
                )
            seen[said] = cell.name
            found.append(replace(cell, options=_lasting(cell.options, resolved)))
    return found


def _typed(cell: Cell) -> Config:
    try:
        return Config.from_mapping(cell.options)
    except ConfigError as error:
        raise StudyError(f"cell {cell.name}: {error}") from error


def _lasting(options: Mapping[str, Any], resolved: Config) -> dict[str, Any]:
    """Return the options that are given, paths as a run keeps them."""
    return {name: getattr(resolved, name) if name in PATHS else value for name, value in options.items()}
