"""The command line ``bdfa``: one file a command. No maths and no file formats here."""

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and exit; the entry point of the console script."""
    try:
        from bdfa_np.system.streams import guard_streams

        guard_streams()
        from bdfa_np.cli.group import bdfa
        from bdfa_np.cli.outcome import run

        code = run(bdfa, sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    leave_team(code)
    sys.exit(code)


def leave_team(code: int) -> None:
    """See that other processes which train along do not wait for this one for ever."""
    joining = sys.modules.get("bdfa_np.parallel.joining")
    if joining is not None:
        joining.leave(code)
