"""Where each option of a run comes from: the command line, a ``--config`` file, or its default, in this order."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from bdfa_np.config import Config
from bdfa_np.errors import ConfigError
from bdfa_np.networks import NETWORKS
from bdfa_np.networks.user import find_file
from bdfa_np.optim import OPTIMIZERS
from bdfa_np.rules import RULES


@dataclass(frozen=True)
class Chosen:
    """A resolved configuration, with the source of each value and what was left out on the way."""

    config: Config
    sources: dict[str, str]
    notes: list[str]


def choose(given: Mapping[str, Any], file: Path | None) -> Chosen:
    """Combine what the user typed with what a file holds, and resolve it.

    An option of the file that the command line has made meaningless, by another rule, optimizer or net, is left
    out with a note; the same on the command line is an error.

    Raises
    ------
    ConfigError
        If the file cannot be read, or the options cannot be used together.
    """
    from_file = {} if file is None else read_options(file)
    notes = []
    for name in sorted(meaningless(given, from_file)):
        notes.append(f"note: {name} = {from_file.pop(name)} of {file} goes with another choice than yours: left out")
    config = Config.from_mapping({**from_file, **given}).resolve()
    if config.network not in NETWORKS:
        # The whole path, so that the run finds its net again from any folder.
        config = replace(config, network=str(find_file(config.network, config.models_folder).resolve()))
    sources = {
        item.name: "command line" if item.name in given else str(file) if item.name in from_file else "default"
        for item in fields(Config)
    }
    return Chosen(config, sources, notes)


def read_options(path: Path) -> dict[str, Any]:
    """Read the options in a TOML file: a run's ``config.toml``, or one with the same table ``[options]``, or without.

    Raises
    ------
    ConfigError
        If the file is missing, is no TOML, or has an option that does not exist.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"--config {path}: there is no such file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"--config {path} is not a TOML file: {error}") from error
    options = document.get("options", document)
    if not isinstance(options, dict):
        raise ConfigError(f"--config {path}: [options] must be a table")
    options = {name.replace("-", "_"): value for name, value in options.items()}
    try:
        Config.from_mapping(options)
    except ConfigError as error:
        raise ConfigError(f"--config {path}: {error}") from error
    return options


def meaningless(given: Mapping[str, Any], from_file: Mapping[str, Any]) -> set[str]:
    """Return the file's options that a choice made on the command line has no use for."""
    found: set[str] = set()
    if "gradient" in given:
        of_rules = set().union(*(rule.options for rule in RULES.values()))
        found |= of_rules - RULES[given["gradient"]].options
    if given.get("feedback_target") in ("label", "centred"):
        found.add("feedback_alpha")
    if "optimization" in given and given["optimization"] in OPTIMIZERS:
        found |= {"lr_decay", "weight_decay", "momentum"} - OPTIMIZERS[given["optimization"]].options
    if given.get("network") == "conv":
        found |= {"num_layers", "num_hidden"}
    return {name for name in found if name in from_file and name not in given}
