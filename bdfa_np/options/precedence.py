"""Where each option of a run comes from: the command line, a ``--config`` file, or its default, in this order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bdfa_np.declaration import Option, too_long
from bdfa_np.errors import ConfigError
from bdfa_np.extensions import held
from bdfa_np.networks import canonical as canonical_network
from bdfa_np.options.catalogue import OPTIONS, parsed
from bdfa_np.options.config import Config
from bdfa_np.options.hints import OPTIONS as OTHER_NAMES
from bdfa_np.options.hints import meant
from bdfa_np.rules.find import canonical as canonical_rule
from bdfa_np.system.reading import read_toml
from bdfa_np.trust.gate import Files, named, of_file

TABLES = ("options", "run", "versions", "data")
"""What a run's ``config.toml`` holds; of a file that ``--config`` names, the first alone is read."""


@dataclass(frozen=True)
class Chosen:
    """A resolved configuration, with the source of each value, what was left out on the way, and the files to run."""

    config: Config
    sources: dict[str, str]
    notes: list[str]
    files: Files


def choose(
    given: Mapping[str, Any], file: Path | None, rule_options: Sequence[str] = (), *, trust: bool = False
) -> Chosen:
    """Combine what the user typed with what a file holds, and resolve it.

    An option of the file that the command line has made meaningless, by another rule, optimizer or net, is left
    out with a note; the same on the command line is an error.

    Parameters
    ----------
    given : mapping
        The options of the command line.
    file : Path or None
        What ``--config`` names.
    rule_options : sequence of str, optional
        What ``-O`` gives, as ``name=value``.
    trust : bool, default False
        Whether a net or a rule may be run that the file names and the user never did.

    Raises
    ------
    ConfigError
        If the file cannot be read, or the options cannot be used together.
    UntrustedError
        If the file names a net or a rule that the user never did.
    """
    from_file, notes, files = left_of(file, given, trust=trust)
    merged = {**from_file, **given}
    with held(files):
        if rule_options:
            said = parsed(merged.get("gradient", OPTIONS["gradient"].default), rule_options)
            merged["rule_options"] = {**from_file.get("rule_options", {}), **said}
        config = whole(Config.from_mapping(merged).resolve())
    sources = {
        name: "command line"
        if name in given or (name == "rule_options" and rule_options)
        else str(file)
        if name in from_file
        else "default"
        for name in OPTIONS
    }
    return Chosen(config, sources, notes, files)


def left_of(
    file: Path | None, given: Mapping[str, Any], *, trust: bool = False
) -> tuple[dict[str, Any], list[str], Files]:
    """Return what a file says beside what the user typed, notes, and the files of nets and rules that may be run.

    There is a note on each option that is left out.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    UntrustedError
        As `choose`.
    """
    own = named(Config.from_mapping(given))
    if file is None:
        return {}, [], own
    from_file = read_options(file)
    configs = [Config.from_mapping(options) for options in (from_file, {**from_file, **given})]
    files, said = of_file(f"--config {file}", configs, own, trust=trust)
    notes = [f"note: {text}" for text in said]
    with held(files):
        left_out = meaningless(given, from_file)
    for name in sorted(left_out):
        value = from_file.pop(name)
        if value != OPTIONS[name].default:
            notes.append(f"note: {name} = {value} of {file} goes with another choice than yours: left out")
    return from_file, notes, files


def whole(config: Config) -> Config:
    """Return a configuration in which a net of the user's own has its whole path: a run finds it again.

    Raises
    ------
    ConfigError
        If there is no such net.
    """
    return config.replace(network=canonical_network(config.network, config.models_folder))


def read_options(path: Path) -> dict[str, Any]:
    """Read the options in a TOML file: a run's ``config.toml``, or one with the same table ``[options]``, or without.

    Raises
    ------
    ConfigError
        If the file is missing, is no TOML, or has an option that does not exist.
    """
    document = read_toml(path, ConfigError, f"--config {path}")
    try:
        options = by_name(_table_of_options(document))
        Config.from_mapping(options)
    except ConfigError as error:
        raise ConfigError(f"--config {path}: {error}") from error
    return options


def _table_of_options(document: dict[str, Any]) -> dict[str, Any]:
    """Return the table ``[options]`` of a file, or the whole of one that has none.

    Raises
    ------
    ConfigError
        If that is no table, or something stands beside it that a run's file has not: it would be left out in silence.
    """
    if "options" not in document:
        return document
    options: dict[str, Any] = document["options"]
    if not isinstance(options, dict):
        raise ConfigError("[options] must be a table")
    for name, value in document.items():
        if name == "options" or (name in TABLES and isinstance(value, dict)):
            continue
        if name.replace("-", "_") in OPTIONS:
            raise ConfigError(f"'{name}' stands beside the table [options]: move it into the table")
        what = f"table [{name}]" if isinstance(value, dict) else f"'{name}'"
        raise ConfigError(f"unknown {what} beside the table [options]: leave it out, options stand in [options]")
    return options


def by_name(written: dict[str, Any]) -> dict[str, Any]:
    """Return a file's options by their names, in which hyphens may have stood.

    Raises
    ------
    ConfigError
        If one is given twice, there is none of its name, or it is a number with which arithmetic would fail later.
    """
    options: dict[str, Any] = {}
    spellings: dict[str, str] = {}
    for spelling, value in written.items():
        name = spelling.replace("-", "_")
        if name in options:
            raise ConfigError(f"'{spellings[name]}' and '{spelling}' are the same option: leave one of them out")
        if name not in OPTIONS:
            raise ConfigError(f"unknown option '{spelling}'.{_question(spelling)}")
        if too_long(value):
            raise ConfigError(f"option '{spelling}' has more digits than any option takes")
        options[name], spellings[name] = value, spelling
    return options


def _question(spelling: str) -> str:
    """Ask whether another option was meant, as a file has it; the Torch program's spellings mean what they meant."""
    there = {one: option.name for option in OPTIONS.values() for one in (option.name, option.torch) if one}
    others = {option.name: OTHER_NAMES[option.flag] for option in OPTIONS.values() if option.flag in OTHER_NAMES}
    return meant(spelling, others, there) or " bdfa train --help lists them"


def meaningless(given: Mapping[str, Any], from_file: Mapping[str, Any]) -> set[str]:
    """Return the file's options that a choice made on the command line has no use for.

    These are options whose condition has ceased to hold since an option that decides it was given anew, or was left
    out itself; and those that only say what followed from an option that was given anew.
    """
    before, after = Config.from_mapping(from_file), Config.from_mapping({**from_file, **given})
    changed, left_out = set(given), set[str]()
    if "rule_options" in from_file and canonical_rule(after.gradient) != canonical_rule(before.gradient):
        left_out.add("rule_options")  # they are another rule's
    while True:
        kept = [OPTIONS[name] for name in from_file if name not in given and name not in left_out]
        found = {
            option.name
            for option in kept
            if any(condition.decider in changed for condition in option.conditions) and after.complaint(option)
        }
        found |= {
            option.name for option in kept if changed & set(option.follows_from) and _followed(option, before, after)
        }
        if not found:
            return left_out
        left_out |= found
        changed |= found
        after = after.replace(**{name: OPTIONS[name].default for name in found})


def _followed(option: Option, before: Config, after: Config) -> bool:
    """Return whether a value is what followed from the file's other options, and another one follows now."""
    was = option.resolved(_filled(before, option))
    return bool(getattr(before, option.name) == was != option.resolved(_filled(after, option)))


def _filled(config: Config, option: Option) -> Config:
    """Return a configuration in which what an option follows from is filled in."""
    for name in option.follows_from:
        decider = OPTIONS[name]
        if getattr(config, name) is None and decider.follows is not None and not config.complaint(decider):
            config = config.replace(**{name: decider.resolved(config)})
    return config
