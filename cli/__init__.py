"""The command line ``bdfa``: one file a command. No maths and no file formats here."""

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and exit; the entry point of the console script."""
    from bdfa_np.cli.group import bdfa
    from bdfa_np.cli.outcome import run

    sys.exit(run(bdfa, sys.argv[1:]))
