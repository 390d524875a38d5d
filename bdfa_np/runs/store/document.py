"""What a run's ``config.toml`` says: its options, its versions, its data, and the files that its code came from."""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bdfa_np import __version__
from bdfa_np.errors import RunError
from bdfa_np.extensions import digest, distribution
from bdfa_np.networks import GROUP as NETWORK_GROUP
from bdfa_np.networks import NETWORKS, network_file
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.changes import record
from bdfa_np.options.config import Config
from bdfa_np.rules import RULES
from bdfa_np.rules.direct.bdfa import BDFA
from bdfa_np.rules.find import GROUP as RULE_GROUP
from bdfa_np.rules.find import rule_file
from bdfa_np.trust.gate import NETWORK_DIGEST, RULE_DIGEST


def as_begun(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's options, with what was the case before there was an option that says so."""
    begun = {**options, "input_dropout": 0.0} if keeps_its_input(options) else options
    return with_target(begun, TARGET_BEFORE)


TARGET_BEFORE = "torch"
"""What ``bdfa``'s feedback learnt from, unless told otherwise, before that was ``centred``."""


def with_target(options: Mapping[str, Any], target: str) -> dict[str, Any]:
    """Return options with a feedback target where they train by ``bdfa`` and name none."""
    rule = options.get("gradient", OPTIONS["gradient"].default)
    return {"feedback_target": target, **options} if rule == BDFA.name else dict(options)


def keeps_its_input(options: Mapping[str, Any]) -> bool:
    """Return whether these are the options of a ``conv`` with dropout begun when it dropped nothing of its input."""
    return "input_dropout" not in options and options.get("network") == "conv" and options.get("dropout") == 1


def check_document(document: dict[str, Any]) -> None:
    """Raise KeyError or ValueError unless a ``config.toml`` has the tables and the data's description that we write."""
    for name in ("options", "versions", "data"):
        if not isinstance(document[name], dict):
            raise ValueError(f"'{name}' is not a table")
    for name, kind, items in (("input_shape", list, int), ("class_names", list, str), ("checksums", dict, str)):
        value = document["data"][name]
        found = value.values() if isinstance(value, dict) else value
        if not isinstance(value, kind) or not all(type(item) is items for item in found):
            raise ValueError(f"'{name}' has a value of the wrong type")
        if kind is list and not value:
            raise ValueError(f"'{name}' is empty")
    if not all(0 < side < 2**31 for side in document["data"]["input_shape"]):
        raise ValueError("'input_shape' has a side that no data have")
    if not isinstance(document.setdefault("run", {}), dict):
        raise ValueError("'run' is not a table")


def check_same_code(config: Config, document: Mapping[str, Any], run: Path) -> None:
    """Raise `RunError` if a run's net or rule comes from a file that has changed since."""
    before = document["run"]
    for name, of_file in digests(config).items():
        if before.get(name) not in (None, of_file):
            what = config.network if name == NETWORK_DIGEST else config.gradient
            raise RunError(
                f"{what} has changed since {run} was started: restore the file as it was, "
                "or start a new run from its weights with --load"
            )


def described(config: Config, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``config.toml`` says beside the options, and wherever a run is."""
    return {"run": digests(config), "versions": versions_for(config), "data": dict(data)}


def recorded(config: Config, data: Mapping[str, Any]) -> str:
    """Return what a checkpoint keeps of ``config.toml``."""
    return record(config, described(config, data))


def digests(config: Config) -> dict[str, str]:
    """Return the SHA-256 of the files that a net and a rule from outside come from, by their names in a document."""
    files = {
        NETWORK_DIGEST: network_file(config.network, config.models_folder),
        RULE_DIGEST: rule_file(config.gradient),
    }
    return {name: digest(file) for name, file in files.items() if file is not None}


def versions() -> dict[str, str]:
    """Return the versions of everything that can change a run's digits."""
    packages = ("numpy", "scipy", "h5py")
    return {
        "python": platform.python_version(),
        "bdfa-np": __version__,  # of a checkout that is not installed no distribution tells
        **{name: version(name) for name in packages},
    }


def versions_for(config: Config) -> dict[str, str]:
    """Return the versions of everything that can change the digits of a run with these options."""
    net = {} if config.network in NETWORKS else distribution(NETWORK_GROUP, config.network)
    rule = {} if config.gradient in RULES else distribution(RULE_GROUP, config.gradient)
    return {**versions(), **net, **rule}
