"""The kinds of values that options and arguments take, beside paths: names, switches, and numbers or words."""

from collections.abc import Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from bdfa_np.cli.paths import spelling
from bdfa_np.data.sources.find import is_own
from bdfa_np.data.sources.registry import dataset_names
from bdfa_np.declaration import Option
from bdfa_np.networks import NETWORKS
from bdfa_np.rules import RULES
from bdfa_np.system.paths import user_path


class TorchChoice(click.Choice[Any]):
    """A choice that takes ``MNIST`` for ``mnist`` and ``CIFAR-10`` for ``cifar10``: any case, hyphens or not.

    Of a number, which may have a sign, and of what begins with a hyphen, the hyphen counts.
    """

    def __init__(self, choices: Sequence[Any], absent: Sequence[str]) -> None:
        super().__init__(choices)
        self.absent = absent

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the chosen name."""
        names: list[Any] = [*self.choices, *self.absent]
        name = {self._plain(known): known for known in names}.get(self._plain(value), value)
        if name in self.absent:
            return name  # for Config, which says why it is refused
        return super().convert(name, param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Offer the names that begin so, in any case, hyphens or not."""
        names = (name for name in self.choices if self._plain(name).startswith(self._plain(incomplete)))
        return [CompletionItem(name) for name in names]

    @staticmethod
    def _plain(name: object) -> str:
        text = str(name).lower()
        return text[:1] + text[1:].replace("-", "")


class DatasetName(TorchChoice):
    """A known data set, spelt as `TorchChoice` allows, or the path of one of the user's own."""

    name = "name or path"

    def __init__(self) -> None:
        super().__init__(dataset_names(), ())

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the data set's name, or the path as it is: that it is one is seen by how it is spelt."""
        if is_own(value):
            user_path(value, spelling(param))
            return value
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            message = f"{error.message.rstrip('.')}; name a file or folder of your own by a path, as in ./{value}"
            raise click.BadParameter(message, ctx, param) from None

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Leave the names to the help text: a path will do too."""
        return "NAME|PATH"

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        """List the names."""
        return f"Choose from {', '.join(self.choices)}, or name a file or folder of your own"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Offer the names and, as soon as no name begins so, files and folders."""
        return super().shell_complete(ctx, param, incomplete) or [CompletionItem(incomplete, type="file")]


class RuleName(TorchChoice):
    """A rule of the package in any case, or whatever else names one: what does not is for `Config` to say."""

    name = "name or path"

    def __init__(self) -> None:
        super().__init__(tuple(RULES), ())

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the rule's name, or what was given."""
        return {known: known for known in self.choices}.get(str(value).lower(), value)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Show the names, and that a file will do too."""
        return f"[{'|'.join(self.choices)}|PATH]"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Offer the names and, as soon as no name begins so, files."""
        return super().shell_complete(ctx, param, incomplete) or [CompletionItem(incomplete, type="file")]


class NetworkName(click.ParamType[str]):
    """A net of the package, or whatever else names one."""

    name = "name or path"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Leave the names to the help text: a path will do too."""
        return "NAME|PATH"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Offer the names that begin so and, as soon as none does, files."""
        names = [CompletionItem(name) for name in NETWORKS if name.startswith(incomplete)]
        return names or [CompletionItem(incomplete, type="file")]


class Switch(click.types.BoolParamType):
    """A boolean; an empty text, as of a shell's variable that was never set, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bool:
        """Return the boolean."""
        if isinstance(value, str) and not value.strip():
            self.fail(f"{value!r} is not a valid boolean: give 0 or 1", param, ctx)
        return bool(super().convert(value, param, ctx))


class FlagOrValue(click.ParamType[Any]):
    """What a flag that may be given a value is set to: True, or the value in the first type that it has."""

    name = "value"

    def __init__(self, option: Option) -> None:
        self.option = option

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value; a 1 is the number 1, and ``true`` what the flag alone means."""
        if not isinstance(value, str):
            return value
        words = {"true": True, "false": False}
        if value.lower() in words:
            return words[value.lower()]
        for kind in self.option.also:
            try:
                return kind(value)
            except ValueError:
                continue
        return self.fail(f"{value!r} is not a valid {self.option.wanted}", param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Show that it may be left out."""
        if self.option.choices:
            return f"[{'|'.join(self.option.choices)}]"
        return "[TEXT]" if str in self.option.also else "[N]"


class NumberOrWord(click.ParamType[Any]):
    """A whole number, or a word that may stand in its place."""

    name = "number"

    def __init__(self, option: Option) -> None:
        self.option = option

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, or the word."""
        if str(value).lower() in self.option.words:
            return str(value).lower()
        try:
            return int(value)
        except ValueError:
            return self.fail(f"{value!r} is not a valid {self.option.wanted}", param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Show the words, and that a number will do too."""
        return f"[{'|'.join(self.option.words)}|N]"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Offer the words that begin so."""
        return [CompletionItem(word) for word in self.option.words if word.startswith(incomplete.lower())]


class DeviceNumber(click.ParamType[int]):
    """A device's number; who names a kind of device, or several, is told which option that is."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        try:
            return int(value)
        except ValueError:
            kinds = {"cuda": "cupy", "gpu": "cupy", "cpu": "numpy"}
            backend = kinds.get(str(value).lower().partition(":")[0])
            advice = f"; where to compute is --backend {backend}" if backend else ""
            if "," in str(value) and ctx is not None and any(one.name == "devices" for one in ctx.command.params):
                advice = f"; several are --devices {value}"
            self.fail(f"{value!r} is not a valid integer{advice}", param, ctx)
