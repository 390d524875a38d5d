"""How a command ends: exit codes, and one line for every error a user can cause."""

import errno
import os
import sys
import traceback
from collections.abc import Sequence

import click

from bdfa_np.errors import UserError

USAGE = 2
INTERRUPTED = 130


def run(command: click.Command, arguments: Sequence[str]) -> int:
    """Run a command and return the exit code.

    Returns
    -------
    int
        0, or 2 after an error the user can mend (said in one line on standard error; with ``--debug`` its
        traceback), or 130 after Ctrl-C.
    """
    try:
        result = command.main(list(arguments), prog_name="bdfa", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output is gone; a second complaint when the interpreter flushes helps nobody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return USAGE
    except (click.ClickException, UserError, OSError, MemoryError) as error:
        if "--debug" in arguments:
            traceback.print_exc()
            return USAGE
        click.echo(f"{where(error)}: error: {one_line(error)}", err=True)
        return USAGE


def where(error: BaseException) -> str:
    """Return the command that an error came from, as the user typed it."""
    context = getattr(error, "ctx", None)
    return context.command_path if context else "bdfa"


def one_line(error: BaseException) -> str:
    """Return the error's message in one line."""
    if isinstance(error, click.ClickException):
        message = error.format_message()
    elif isinstance(error, MemoryError):
        message = f"not enough memory ({error}): choose a smaller net or data set" if str(error) else "out of memory"
    elif isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        advice = {
            errno.ENOSPC: "; free some space, then go on with --resume",
            errno.EDQUOT: "; free some space, then go on with --resume",
            errno.EACCES: "; check its permissions, or name another place",
            errno.EROFS: "; name another place",
        }.get(error.errno or 0, "")
        message = f"{place}{error.strerror}{advice}"
    else:
        message = str(error)
    return " ".join(message.split())
