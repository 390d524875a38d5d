"""How a command ends: exit codes, and one line for every error a user can cause."""

import contextlib
import errno
import sys
import time
import traceback
from collections.abc import Mapping, Sequence

import click

from bdfa_np.errors import OutputError, UserError, plain_line
from bdfa_np.extensions import blamed
from bdfa_np.parallel.mpi import LEAD, launched_rank
from bdfa_np.system.streams import ReaderGone

DONE = 0
FAILED = 1
"""Where the command itself worked, but not all that it looked at or ran."""
USAGE = 2
INTERRUPTED = 130
READER_GONE = 141
"""As a shell says that a program was ended by SIGPIPE."""
EXIT_CODES = {
    DONE: "done",
    FAILED: "a check of bdfa doctor, or a run of bdfa study run, has failed",
    USAGE: "an error you can mend, in one line; --debug shows where it came from",
    INTERRUPTED: "interrupted, by Ctrl-C or a request to terminate",
    READER_GONE: "whoever read the output has gone away, as in bdfa info | head -1",
}
"""What the codes mean, where a command says nothing else of them."""
SHARED_CODES = {code: meaning for code, meaning in EXIT_CODES.items() if code != FAILED}
"""Those that every command has."""


def exit_codes_table(meanings: Mapping[int, str]) -> str:
    """Return a line a code, as a help page has them."""
    return "\n".join(f"  {code:<4} {meaning}" for code, meaning in meanings.items())


def run(command: click.Command, arguments: Sequence[str]) -> int:
    """Run a command and return the exit code.

    Returns
    -------
    int
        0, or 2 after an error the user can mend (said in one line on standard error; with ``--debug`` its
        traceback), or 130 after Ctrl-C, or 141 where whoever read the output has gone away.
    """
    try:
        return _run(command, arguments)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except ReaderGone:
        return READER_GONE
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return USAGE
    except (click.ClickException, UserError, OSError, MemoryError) as error:
        if "--debug" in arguments:
            traceback.print_exc()
        elif launched_rank():  # the first of the processes that mpirun has started says it, which takes a moment
            time.sleep(LEAD)
        else:
            name = next((word for word in arguments if not word.startswith("-")), "")
            click.echo(f"{where(error)}: error: {one_line(error, name)}", err=True)
        return USAGE


def _run(command: click.Command, arguments: Sequence[str]) -> int:
    """Run a command to its end, at which all that it has printed is on its way.

    After an error, that it could not be printed is no news any more.
    """
    try:
        with blamed():
            result = command.main(list(arguments), prog_name="bdfa", standalone_mode=False)
    except BaseException:
        with contextlib.suppress(ReaderGone, OutputError):
            _flush()
        raise
    _flush()
    return result if isinstance(result, int) else 0


def _flush() -> None:
    if sys.stdout is not None:  # as where Python has no console
        sys.stdout.flush()


def where(error: BaseException) -> str:
    """Return the command that an error came from, as the user typed it."""
    context = getattr(error, "ctx", None)
    return context.command_path if context else "bdfa"


def one_line(error: BaseException, command: str) -> str:
    """Return the message in one line of an error of a command, with what to do about it."""
    if isinstance(error, click.ClickException):
        message = error.format_message()
    elif isinstance(error, MemoryError):
        more = "give more by --gpu-memory, or " if "limit set to" in str(error) else ""  # as CuPy words it
        advice = f"{more}choose a smaller net, batch or data set"
        message = f"not enough memory ({error}): {advice}" if str(error) else "out of memory"
    elif isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        again = "go on with --resume" if command == "train" else "repeat the command"
        advice = {
            errno.ENOSPC: f"; free some space, then {again}",
            errno.EDQUOT: f"; free some space, then {again}",
            errno.EACCES: "; check its permissions, or name another place",
            errno.EROFS: "; name another place",
        }.get(error.errno or 0, "")
        message = f"{place}{error.strerror}{advice}"
    elif isinstance(error, OutputError):
        message = f"{error}: free some space there, or send it elsewhere"
    else:
        message = str(error)
    return plain_line(" ".join(message.split()))
