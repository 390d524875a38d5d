"""What may change in a run between two sittings, and what is noticed where its ``config.toml`` was edited meanwhile."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import tomli_w

from bdfa_np.data.sources.find import is_own
from bdfa_np.errors import RunError
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.config import Config
from bdfa_np.options.machine import CUDA
from bdfa_np.options.tracking import NAMES as TRACKING
from bdfa_np.trust.gate import NETWORK_DIGEST, RULE_DIGEST

CHANGEABLE = (
    "epochs",
    "threads",
    "processes",
    "backend",
    *(option.name for option in CUDA),
    "datapath",
    "cache_dir",
    *TRACKING,
)
"""What a resumed run may be given anew; the data in another folder must be the same bytes."""
FILES = (NETWORK_DIGEST, RULE_DIGEST)


def record(config: Config, document: Mapping[str, Any]) -> str:
    """Return what a checkpoint keeps of its run's ``config.toml``, so that an edited one is told from it.

    Parameters
    ----------
    config : Config
        The options, resolved.
    document : mapping
        What is written to ``config.toml``.

    Returns
    -------
    str
        JSON with every option, those that are not given too, the versions, and the SHA-256 of the rest.
    """
    kept = {
        "options": {name: getattr(config, name) for name in OPTIONS},
        "versions": dict(document["versions"]),
        "data": data_digest(document["data"]),
        "files": {name: document["run"].get(name) for name in FILES},
    }
    return json.dumps(kept)


def check_unedited(config: Config, document: Mapping[str, Any], recorded: str, file: object) -> list[str]:
    """Raise `RunError` if a run's ``config.toml`` says something else than the checkpoint that it goes with.

    What a command may give anew may be edited too, and data of one's own may lie elsewhere.

    Parameters
    ----------
    config : Config
        The options that it holds.
    document : mapping
        All that it holds.
    recorded : str
        What `record` gave; of checkpoints from before there was that, nothing is known.
    file : path
        Where it is, for messages.

    Returns
    -------
    list of str
        Notes on versions that are not those of the checkpoint: nothing hangs on them but a note.
    """
    if not recorded:
        return []
    kept = _read(recorded, file)
    for name, before in kept["options"].items():
        # An option that this version has not, or that the other version had not, cannot have been edited.
        if name in OPTIONS and not _may_be(name, before, getattr(config, name), kept["options"]):
            raise _edited(file, _toml(name, getattr(config, name)), _toml(name, before))
    for name, before in kept["files"].items():
        now = document.get("run", {}).get(name)
        if now != before:
            raise _edited(file, _toml(name, now), _toml(name, before))
    if data_digest(document["data"]) != kept["data"]:
        raise RunError(
            f"{file} has been edited in its part [data], which is not that of its checkpoint: restore it from a copy, "
            "or start a new run from its weights with --load"
        )
    return [
        f"{file} has been edited: {package} {document['versions'].get(package)}, where the run had {before}"
        for package, before in kept["versions"].items()
        if document["versions"].get(package) != before
    ]


def _read(recorded: str, file: object) -> dict[str, Any]:
    """Return what `record` kept; raise `RunError` where that is not what it wrote."""
    try:
        kept = json.loads(recorded)
        tables = [kept[name] for name in ("options", "versions", "files")]
        if not all(isinstance(table, dict) for table in tables) or not isinstance(kept["data"], str):
            raise ValueError("it holds something else")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(
            f"{file} cannot be compared with its checkpoint, which is damaged: restore it from a copy, or start anew "
            "with --force"
        ) from error
    found: dict[str, Any] = kept
    return found


def _may_be(name: str, before: Any, now: Any, options: Mapping[str, Any]) -> bool:
    """Return whether an option may have become what it is; 1 and true are two values of a flag."""
    if now == before and isinstance(now, bool) == isinstance(before, bool):
        return True
    if name == "dataset":
        return is_own(now) and is_own(before)
    return name in CHANGEABLE and not (name == "epochs" and options.get("schedule") == "cosine")


def _edited(file: object, now: str, before: str) -> RunError:
    return RunError(
        f"{file} has been edited: {now}, where the run has {before}: restore that, or start a new run from its "
        f"weights with --load; only {', '.join(CHANGEABLE)} may change"
    )


def _toml(name: str, value: Any) -> str:
    """Return an option as a line of a file has it."""
    if value is None:
        return f"no {name}"
    if isinstance(value, dict):
        return f"{name} = {{{', '.join(_toml(key, one) for key, one in value.items())}}}"
    return tomli_w.dumps({name: value}).strip()


def data_digest(data: Mapping[str, Any]) -> str:
    """Return what the data were in short; a single file or folder may be called otherwise by now."""
    checksums = data["checksums"]
    sums = checksums if len(checksums) > 1 else list(checksums.values())
    kept = [list(data["input_shape"]), list(data["class_names"]), sums]
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
