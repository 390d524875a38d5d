"""The command line ``bdfa``: one file a command. No maths and no file formats here."""

import io
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and exit; the entry point of the console script."""
    try:
        from bdfa_np.cli.group import bdfa
        from bdfa_np.cli.outcome import run

        for stream in (sys.stdout, sys.stderr):
            # What a terminal's encoding lacks is shown as an escape; it must not end a run.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        code = run(bdfa, sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
