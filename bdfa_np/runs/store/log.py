"""``Log.txt`` as a kill may leave it, and as it is to be."""

import re
from collections.abc import Sequence

EPOCH = re.compile(r"epoch +(\d+)(?:/\d+)?: ")
_FAILED = "failed: "


def mended(text: str, opening: Sequence[str], epoch_lines: Sequence[str]) -> str:
    """Return a run's log with a line for every epoch that its checkpoint has, and none for others.

    Parameters
    ----------
    text : str
        The log as it is. Half a line at its end is left out, and so is all from an epoch on that was not saved.
    opening : sequence of str
        What a log begins with, for one that is gone.
    epoch_lines : sequence of str
        The lines of the epochs done, the first epoch's first.
    """
    lines, said = [], set()
    for line in text.split("\n")[:-1]:
        found = EPOCH.match(line)
        if found and int(found[1]) > len(epoch_lines):
            break
        if found:
            said.add(int(found[1]))
        lines.append(line)
    lost = [line for number, line in enumerate(epoch_lines, start=1) if number not in said]
    return "".join(f"{line}\n" for line in [*(lines or opening), *lost])


def failure_line(error: Exception) -> str:
    """Return the last line of a run that an error has ended."""
    return f"{_FAILED}{' '.join(str(error).split())}"


def failure_of(text: str) -> str:
    """Return the error that a log ends with; empty where it ends otherwise."""
    last = text.rstrip("\n").rpartition("\n")[2]
    return last.removeprefix(_FAILED) if last.startswith(_FAILED) else ""
