"""In a checkout: ``bdfa_np.cli`` and ``bdfa_np.data``, whose folders stand beside this one and not inside of it.

An installed package has them inside. Python started in a checkout takes its folder ``bdfa_np/`` for the package,
installed or not, and finds there what it finds in an installed one.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

FOLDERS = ("cli", "data")


class BesideFinder:
    """Finds packages that stand beside ``bdfa_np``: these by name, and nothing else that is there.

    It is a `importlib.abc.MetaPathFinder`, the import of which would take as long as all of `bdfa_np`'s.

    Parameters
    ----------
    folders : mapping of str to Path
        The packages' folders by their full names.
    """

    def __init__(self, folders: dict[str, Path]) -> None:
        self._folders = folders

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a package is, or None for every other name."""
        folder = self._folders.get(fullname)
        if folder is None:
            return None
        return spec_from_file_location(fullname, folder / "__init__.py", submodule_search_locations=[str(folder)])


def checkout_folder() -> Path | None:
    """Return the folder of the checkout that this package runs from, or None of an installed one."""
    root = Path(__file__).resolve().parents[2]
    beside = all((root / name / "__init__.py").is_file() for name in FOLDERS)
    return root if beside and (root / "pyproject.toml").is_file() else None


def find_folders_beside(package_file: str) -> None:
    """Let the folders beside a package be found as its subpackages, unless it has them itself, as installed ones do."""
    package = Path(package_file).resolve().parent
    folders = {f"{package.name}.{name}": package.parent / name for name in FOLDERS if not (package / name).exists()}
    if folders and all((folder / "__init__.py").is_file() for folder in folders.values()):
        # First, or the finder of another checkout that is installed as editable would answer with its own folders.
        sys.meta_path.insert(0, BesideFinder(folders))
