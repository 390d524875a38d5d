"""Paths on the command line: each is read and refused in the same words, before the command begins."""

from pathlib import Path
from typing import Any

import click

from bdfa_np.system.paths import check_folder, check_input, check_output, user_path


def spelling(param: click.Parameter | None) -> str:
    """Return what a user calls a parameter: an option's longest spelling, an argument's name in capitals."""
    if isinstance(param, click.Option):
        return max(param.opts, key=lambda spelled: (spelled.startswith("--"), len(spelled)))
    return (param.name or "").upper() if param is not None else "a path"


class InputPath(click.Path):
    """A file, or a folder, to be read; that it is missing is for its reader to say."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        path = user_path(value, spelling(param))
        check_input(path, spelling(param))
        return path


class WeightsPath(InputPath):
    """A path; ``none`` is none, as the Torch program has it: a folder of this name is ``./none``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or None."""
        return None if value == "none" else super().convert(value, param, ctx)


class FolderPath(click.Path):
    """A folder: nothing else may be in its place.

    Parameters
    ----------
    new : bool, default False
        Whether it is made where it is missing.
    """

    def __init__(self, *, new: bool = False) -> None:
        super().__init__(file_okay=False)
        self.new = new

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        path = user_path(value, spelling(param))
        check_folder(path, spelling(param), new=self.new)
        return path


class KeptFolder(FolderPath):
    """A folder as an option of a run has it: as text, of which `Config` makes the path that is kept."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path as text."""
        return str(super().convert(value, param, ctx))


class OutputPath(click.Path):
    """A file to be written, a device or a pipe too; it is refused before anything is computed for it."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path."""
        return check_output(value, spelling(param))
