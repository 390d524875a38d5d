"""Where each option of a run comes from: the command line, a ``--config`` file, or its default, in this order."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from bdfa_np.data.sources.find import is_own
from bdfa_np.errors import ConfigError
from bdfa_np.networks import NETWORKS
from bdfa_np.networks.user import find_file
from bdfa_np.optim import OPTIMIZERS
from bdfa_np.options.config import FOR_CUDA, Config
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
    defaults = {item.name: item.default for item in fields(Config)}
    for name in sorted(meaningless(given, from_file)):
        value = from_file.pop(name)
        if value != defaults[name]:
            notes.append(f"note: {name} = {value} of {file} goes with another choice than yours: left out")
    config = Config.from_mapping({**from_file, **given}).resolve()
    config = replace(
        config, network=whole_name(config.network, config.models_folder), dataset=whole_dataset(config.dataset)
    )
    sources = {
        item.name: "command line" if item.name in given else str(file) if item.name in from_file else "default"
        for item in fields(Config)
    }
    return Chosen(config, sources, notes)


def whole_name(network: str, models_folder: str) -> str:
    """Return a built-in net's name as it is, a user's net by its whole path: the run finds it again from any folder.

    Raises
    ------
    ConfigError
        If there is no such file.
    """
    return network if network in NETWORKS else str(find_file(network, models_folder).resolve())


def whole_dataset(dataset: str) -> str:
    """Return a known data set's name as it is, one of the user's own by its whole path."""
    return str(Path(dataset).expanduser().resolve()) if is_own(dataset) else dataset


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
    except (ValueError, RecursionError) as error:  # no UTF-8, no TOML, a number or a nesting without end
        raise ConfigError(f"--config {path} is not a TOML file: {error}") from error
    options = document.get("options", document)
    if not isinstance(options, dict):
        raise ConfigError(f"--config {path}: [options] must be a table")
    options = {name.replace("-", "_"): value for name, value in options.items()}
    for name, value in options.items():
        # TOML's own bounds; Python's reader takes any number, on which arithmetic fails later.
        if type(value) is int and not -(2**63) <= value < 2**63:
            raise ConfigError(f"--config {path}: option '{name}' has more digits than TOML allows")
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
    if given.get("optimization") in OPTIMIZERS:
        found |= of_another_optimizer(given["optimization"], from_file)
    if given.get("network") == "conv":
        found |= {"num_layers", "num_hidden"}
    if given.get("network") == "mlp" and from_file.get("batchnorm") == 2:
        found.add("batchnorm")
    found |= of_another_preprocessing(given)
    if given.get("eps") == 0:
        found.add("acc_gradient")
    if given.get("backend") == "numpy":
        found |= set(FOR_CUDA)
    return {name for name in found if name in from_file and name not in given}


def of_another_preprocessing(given: Mapping[str, Any]) -> set[str]:
    """Return the options that have no use where the inputs are preprocessed as the command line says."""
    found: set[str] = set()
    if given.get("whiten"):
        found.add("normalization")
    elif given.get("normalization"):
        found |= {"whiten", "zca_epsilon"}
    if "whiten" in given or "normalization" in given:
        found.add("feedback_output")  # the file's may be what followed from its own inputs
    return found


def of_another_optimizer(name: str, from_file: Mapping[str, Any]) -> set[str]:
    """Return the options that this optimizer has no use for, and a rate that was another's own default."""
    optimizer = OPTIMIZERS[name]
    found = {"lr_decay", "weight_decay", "momentum"} - optimizer.options
    if not optimizer.follows_rate:
        found.add("epoch_step")
    before = OPTIMIZERS.get(from_file.get("optimization", Config.optimization))
    if before is not None and from_file.get("lr") == before.default_learning_rate != optimizer.default_learning_rate:
        found.add("lr")
    return found
