"""What stands between a file of options and the code that it names: nothing is run before it was looked at here."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from bdfa_np.errors import RunError, UntrustedError
from bdfa_np.extensions import Code, read_code, read_file, whole
from bdfa_np.networks import FLAG as NETWORK_FLAG
from bdfa_np.networks import find_file
from bdfa_np.networks import own_file as own_network
from bdfa_np.networks.options import Settings
from bdfa_np.rules.find import FLAG as RULE_FLAG
from bdfa_np.rules.find import canonical as find_rule_file
from bdfa_np.rules.find import own_file as own_rule
from bdfa_np.system.files import refusal
from bdfa_np.trust import listed
from bdfa_np.trust.names import NETWORK_COPY, RULE_COPY

Files = dict[str, Code]
"""Files that may be run, by their whole paths."""
NETWORK_DIGEST, RULE_DIGEST = "network_sha256", "rule_sha256"
"""What ``config.toml`` calls the SHA-256 of a net's and a rule's file."""


@dataclass(frozen=True)
class Own:
    """A user's own file that options name.

    Attributes
    ----------
    path : Path
        Where it is said to be.
    digest, copy : str
        What a run calls its SHA-256, and its copy.
    """

    path: Path
    digest: str
    copy: str

    @property
    def whole(self) -> str:
        """The path by which it is known."""
        return whole(self.path)

    def read(self) -> Code | None:
        """Return the file, or None where there is none."""
        return read_file(Path(self.whole)) if self.path.is_file() else None


def own_files(config: Settings) -> dict[str, Own]:
    """Return the files of a user's own that a net and a rule come from, there or not, by the options that name them."""
    network, rule = config.network, config.gradient
    found = {}
    # What is no text is refused where options are checked, which may be later.
    if isinstance(network, str) and isinstance(config.models_folder, str):
        found[NETWORK_FLAG] = own_network(network, config.models_folder), NETWORK_DIGEST, NETWORK_COPY
    if isinstance(rule, str):
        found[RULE_FLAG] = own_rule(rule), RULE_DIGEST, RULE_COPY
    return {flag: Own(path, *names) for flag, (path, *names) in found.items() if path is not None}


def named(config: Settings) -> Files:
    """Return the files that options name, as they lie there now: of options that this very call gives."""
    found = {own.whole: own.read() for own in own_files(config).values()}
    return {path: code for path, code in found.items() if code is not None}


def copies(config: Settings) -> dict[str, Code]:
    """Return what a run folder keeps of the files that are run, by the copies' names."""
    return {own.copy: read_code(own.path) for own in own_files(config).values()}


def of_run(
    run: Path, config: Settings, stated: Mapping[str, Any], given: Files, *, trust: bool
) -> tuple[Files, list[str]]:
    """Return the files that a run's options name, if they may be run.

    Parameters
    ----------
    run : Path
        Its folder.
    config : Config
        Its options.
    stated : mapping
        What ``config.toml`` says of the run, with the SHA-256 of the files where they were kept.
    given : mapping of str to Code
        The files that this very call names.
    trust : bool
        Whether others may be run that do not stand in the user's list; they are added to it.

    Returns
    -------
    dict of str to Code
        Where a file is gone or has changed, the run's copy stands in its place.
    list of str
        Notes on that.

    Raises
    ------
    RunError
        If a file has changed, and there is no copy of it.
    ExtensionError
        If a file is gone, and there is no copy of it.
    UntrustedError
        If a file would be run that nobody has named.
    """
    files, notes, said = Files(), [], {}
    for flag, own in own_files(config).items():
        sha256, found, kept = stated.get(own.digest), own.read(), None
        if found is None or sha256 not in (None, found.sha256):
            kept = _copy(run / own.copy, sha256)
            if kept is None:
                _refuse(flag, config, found is None, run)
            state = "is gone" if found is None else "has changed since"
            notes.append(f"{own.path} {state}: the run's copy of it is used, {run / own.copy}")
            found = kept
        files[own.whole] = found
        said[own.whole] = str(found.path) if kept is None else f"{found.path}, its copy of {own.path},"
    return files, notes + list(_allowed(str(run), files, said, given, trust=trust))


def of_file(who: str, configs: Iterable[Settings], given: Files, *, trust: bool) -> tuple[Files, list[str]]:
    """Return the files that a ``--config`` or a study names, if they may be run; see `of_run` for the rest.

    Parameters
    ----------
    who : str
        The file of options, for messages: ``--config rule.toml``.
    configs : iterable of Config
        What it says, and what comes of it with other options given: a file is read once for all of them.
    """
    files = Files()
    for own in itertools.chain.from_iterable(own_files(config).values() for config in configs):
        code = files.get(own.whole) or given.get(own.whole) or own.read()
        if code is not None:
            files[own.whole] = code
    said = {path: path for path in files}
    return files, list(_allowed(who, files, said, given, trust=trust))


def remember(files: Files) -> Iterator[str]:
    """Add files that this call has named to the user's list; yield a note where that cannot be."""
    if not files:
        return
    try:
        listed.add(files.items())
    except (UntrustedError, OSError, NotImplementedError) as error:  # the last: of a file system without locks
        reason = refusal(listed.list_path(), error, "cannot be written") if isinstance(error, OSError) else error
        yield f"the files of this run were not noted as yours, and --trust will be asked for: {reason}"


def _copy(path: Path, sha256: object) -> Code | None:
    """Return a run's copy of a file if it is the one that the run was begun with."""
    if not path.is_file():
        return None
    code = read_file(path)
    return code if code.sha256 == sha256 else None


def _refuse(flag: str, config: Settings, gone: bool, run: Path) -> NoReturn:
    if gone and flag == NETWORK_FLAG:
        find_file(config.network, config.models_folder)
    elif gone:
        find_rule_file(config.gradient)
    name = config.network if flag == NETWORK_FLAG else config.gradient
    raise RunError(
        f"{name} has changed since {run} was started: restore the file as it was, "
        "or start a new run from its weights with --load"
    )


def _allowed(who: str, files: Files, said: Mapping[str, str], given: Files, *, trust: bool) -> Iterable[str]:
    """Return notes; raise `UntrustedError` where a file would be run that nobody has named."""
    unnamed = {path: code for path, code in files.items() if path not in given or given[path].sha256 != code.sha256}
    if trust:
        return list(remember(unnamed)) if unnamed else []
    unknown = [path for path, code in unnamed.items() if not listed.is_listed(path, code)]
    if unknown:
        what = " and ".join(f"{said[path]} (SHA-256 {files[path].sha256})" for path in unknown)
        raise UntrustedError(
            f"{who} would run {what}, which you have not named yourself: read it first, then allow it with --trust "
            "(in Python trust=True)"
        )
    return []
