"""What ``pyproject.toml`` cannot say: as the package is built, its manual pages are written from its commands."""

import sys
from pathlib import Path
from typing import ClassVar

from setuptools import Command, setup
from setuptools.command.build import build

HERE = Path(__file__).parent


class BuildManual(Command):
    """Write the manual pages, and have them installed where ``man`` finds them, beside the folder of programs."""

    description = "write the manual pages"
    user_options: ClassVar[list[tuple[str, str, str]]] = []
    editable_mode = False
    """Set by setuptools where the package is installed as it lies."""

    def initialize_options(self):
        """Do nothing: there are none."""

    def finalize_options(self):
        """Do nothing: there are none."""

    def run(self):
        """Write them."""
        sys.path.insert(0, str(HERE))
        from bdfa_np.cli.manual import write_pages

        folder = Path(self.get_finalized_command("build").build_temp) / "man"
        pages = [str(path) for path in write_pages(folder)]
        self.distribution.data_files = [("share/man/man1", pages)]
        if self.editable_mode:  # where setuptools installs no files of this kind
            self.run_command("install_data")


build.sub_commands = [*build.sub_commands, ("build_manual", None)]
setup(cmdclass={"build_manual": BuildManual})
