"""The errors a user can cause; the command line prints each as one line and exits with code 2."""

_LONGEST = 1500
_LAST = 500


class UserError(Exception):
    """Something the user can mend: the message says what is wrong, where, and what to do, in one line."""

    def __str__(self) -> str:
        """Return the message as `plain_line` has it: what it quotes may come from a file of anybody's."""
        return plain_line(super().__str__())


class ConfigError(UserError):
    """An option has a value that cannot be used, or does not go with another option."""


class ExtensionError(ConfigError):
    """A rule or a net from outside the package is missing or broken."""


class UntrustedError(UserError):
    """A rule's or a net's file would be run that nobody here has named; it was not."""


class StudyError(UserError):
    """A study's file is missing or malformed, or has not what is asked for; the message names file and cell."""


class DataError(UserError):
    """A data set is missing, damaged, or not what it should be."""


class RunError(UserError):
    """A run folder is in use, is missing, or holds something other than a usable run."""


class InUseError(RunError):
    """Another process is at work on a run; it is to be waited for, and nothing is wrong."""


class TrainingError(UserError):
    """Training cannot go on, for example because the loss is not a number."""


class BackendError(UserError):
    """The requested backend or device cannot be used."""


class OutputError(UserError):
    """What a command prints cannot be written."""


class UsageError(AttributeError):
    """Something was asked of an object that it has not, or not yet; the message says what to write."""


class ContentError(Exception):
    """A file is not what it should be; a reader says so as `DataError` or `RunError`, with the file and what to do.

    Attributes
    ----------
    reason : str
        What is wrong, a part of a sentence.
    advice : str
        What to do where the file is the user's own work; empty where that is to write it anew.
    """

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.advice = advice


def plain_line(text: str) -> str:
    """Return a text as one line that a terminal shows as it is: escapes for what cannot be printed, not too long.

    Parameters
    ----------
    text : str
        Which may quote a file: line breaks, control characters that a terminal obeys, a megabyte without a space.
    """
    text = _cut(text)
    if text.isprintable():
        return text
    return _cut("".join(one if one.isprintable() else " " if one.isspace() else ascii(one)[1:-1] for one in text))


def _cut(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST - _LAST]} ... {text[-_LAST:]}"  # its end says what to do
