"""Starting a run, or going on with one, from its options to its last epoch; without a terminal."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from bdfa_np.backend.cuda.status import auto_note
from bdfa_np.data import Dataset, Preprocessing
from bdfa_np.data.sources.find import is_own
from bdfa_np.declaration import flag
from bdfa_np.errors import ConfigError, RunError
from bdfa_np.extensions import blamed, held
from bdfa_np.layers.batchnorm import lone_samples
from bdfa_np.model import configured_backend
from bdfa_np.networks import canonical
from bdfa_np.options.catalogue import OPTIONS, parsed
from bdfa_np.options.changes import CHANGEABLE
from bdfa_np.options.config import Config
from bdfa_np.options.machine import cuda_defaults
from bdfa_np.options.precedence import whole
from bdfa_np.options.tracking import NONE
from bdfa_np.parallel.leading import send_state
from bdfa_np.parallel.share import Team
from bdfa_np.runs.checkpoint import Checkpoint
from bdfa_np.runs.curves import check_drawing
from bdfa_np.runs.data import load_data_of_run, load_run_data
from bdfa_np.runs.events import Listener
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.lines import heading
from bdfa_np.runs.loading import load_weights, model_for, restore
from bdfa_np.runs.session import Session
from bdfa_np.runs.store.document import keeps_its_input, versions_for
from bdfa_np.runs.teaming import meet, note_of_others, sent, teamed
from bdfa_np.runs.threads.choosing import settle
from bdfa_np.runs.threads.cores import within_cores
from bdfa_np.runs.tracking.events import check_events
from bdfa_np.system.threads import limited_threads
from bdfa_np.trust.gate import Files, named, remember


@blamed()
def start_run(
    config: Config,
    save: Path,
    *,
    load: Path | None = None,
    force: bool = False,
    numbered: bool = False,
    notes: Sequence[str] = (),
    files: Files | None = None,
    listener: Listener | None = None,
    dataset: Dataset | None = None,
    final_test: bool = True,
    team: Team | None = None,
) -> Session:
    """Train a new run in a folder, with as many threads as the options say.

    Parameters
    ----------
    config : Config
        The options; they are resolved here.
    save : Path
        The run folder, made if need be.
    load : Path, optional
        A run folder or a ``checkpoint.h5`` whose weights the net starts from.
    force : bool, default False
        Whether a run that is in the folder may be replaced.
    numbered : bool, default False
        Whether the folder is called ``NAME_2`` and so on where there is something of its name.
    notes : sequence of str, optional
        Lines that go into the log first.
    files : mapping of str to Code, optional
        The files of nets and rules that may be run; those that the options name unless given. They are added to the
        user's list of files that are run unasked.
    listener : Listener, optional
        Who hears of it.
    dataset : Dataset, optional
        What it trains on where that is in memory; else the data set that the options name.
    final_test : bool, default True
        Whether a run with ``validate`` is tested on the test images once all epochs are done.
    team : Team, optional
        The processes that train together, of which this is the first; the others `follow`.

    Returns
    -------
    Session
        With the trained ``model`` and the ``history``.

    Raises
    ------
    ConfigError, DataError, RunError, BackendError, TrainingError
        Whatever a user can mend, in one line.
    """
    listener = listener or Listener()
    files = named(config) if files is None else files
    with held(files), ExitStack() as stack:
        config, capped = within_cores(whole(config.resolve()))
        folder = RunFolder(Path(save), numbered=numbered)
        folder.check_free(force=force)
        check_extras(config)
        configured_backend(config)  # what cannot be used is refused before any data are read
        team = stack.enter_context(teamed(team, config))
        if config.bn_local and team is None:
            raise ConfigError("--bn-local is for several processes, and this is one: leave it out, or give --processes")
        config = sent(team, config)
        load_data = partial(load_run_data, config, dataset, progress=listener.progress)
        noted: list[str] = []
        note = _noting(listener, noted)
        config, data, timed = settle(config, load_data, note)
        with limited_threads(config.threads):
            model = model_for(config, data)
            drop_last, samples = config.const_batch_size, len(data.split.train_labels)
            lone = lone_samples(model.network.tree(), samples, config.batch_size, drop_last=drop_last)
            for text in [*([lone] if lone else []), *remember(files)]:
                note(text)
            lines = [*notes, *(f"note: {text}" for text in capped), *heading(model, data), *timed]
            lines += fallback_notes(config)
            if load is not None:
                lines.append(load_weights(model, load))
            lines += meet(team, model, data)
            with folder.new(force=force), blamed():
                session = Session(folder, model, data, listener, final_test=final_test, team=team)
                session.begin(lines, noted)
                send_state(team, model.state(), session.trainer.progress)
                session.run()
    return session


@blamed()
def resume_run(
    save: Path,
    changes: Mapping[str, Any],
    *,
    rule_options: Sequence[str] = (),
    notes: Sequence[str] = (),
    files: Files | None = None,
    trust: bool = False,
    listener: Listener | None = None,
    dataset: Dataset | None = None,
    final_test: bool = True,
    team: Team | None = None,
) -> Session:
    """Go on with the run in a folder.

    Parameters
    ----------
    save : Path
        The run folder.
    changes : mapping
        Options that are given anew: of `CHANGEABLE`, or the same as the run's.
    rule_options : sequence of str, optional
        Options of a rule of one's own, as ``name=value``, which must be the run's.
    notes : sequence of str, optional
        Lines that go into the log first.
    files : mapping of str to Code, optional
        The files of nets and rules that this very call names; those that ``changes`` name unless given.
    trust : bool, default False
        Whether the run's net or rule may be run though neither this call nor the user's list names its file.
    listener : Listener, optional
        Who hears of it.
    dataset : Dataset, optional
        What it trains on where that is in memory; else the data set that the options name.
    final_test : bool, default True
        Whether a run with ``validate`` is tested on the test images once all epochs are done.
    team : Team, optional
        The processes that train together, of which this is the first; the others `follow`.

    Returns
    -------
    Session
        With the trained ``model`` and the ``history``.

    Raises
    ------
    ConfigError, DataError, RunError, BackendError, TrainingError
        Whatever a user can mend, in one line.
    UntrustedError
        If its net or its rule comes from a file that nobody has named.
    """
    listener = listener or Listener()
    folder = RunFolder(Path(save))
    files = named(Config.from_mapping(changes)) if files is None else files
    noted: list[str] = []
    with folder.resumed(given=files, trust=trust) as (before, document, checkpoint, said), ExitStack() as stack:
        own = {**(changes.get("rule_options") or {}), **parsed(before.gradient, rule_options)}
        if own:
            changes = {**changes, "rule_options": {**(before.rule_options or {}), **own}}
        config, capped = within_cores(moved(before, _changes(before, changes)))
        check_extras(config)
        team = stack.enter_context(teamed(team, config))
        config = sent(team, config, document)
        kept, unread = _kept_preprocessing(folder, checkpoint)
        load_data = partial(load_data_of_run, config, document, save, dataset, kept=kept, progress=listener.progress)
        config, data, timed = settle(config, load_data, _noting(listener, noted), checkpoint.progress.epoch)
        with limited_threads(config.threads):
            model = model_for(config, data)
            restore(model, checkpoint, save)
            lines = [
                *notes,
                *(f"note: {text}" for text in (*said, *capped)),
                f"resumed after epoch {checkpoint.progress.epoch}",
                *timed,
                *fallback_notes(config),
            ]
            lines += folder.keep_history(checkpoint)
            lines += [*unread, *folder.keep_preprocessing(checkpoint, kept, data.prepared.preprocessing)]
            if keeps_its_input(document["options"]):
                lines.append("note: the run was started when conv dropped nothing of its input: it goes on so")
            for package, now in versions_for(config).items():
                then = document.get("versions", {}).get(package)
                if then != now:
                    lines.append(f"note: the run was started with {package} {then}, now it is {now}: digits may differ")
            lines += folder.keep_measured(checkpoint, expected=before.track is not None)
            lines += [*meet(team, model, data), *note_of_others(team, document)]
            session = Session(folder, model, data, listener, final_test=final_test, team=team)
            session.go_on_from(checkpoint, lines, noted)
            send_state(team, model.state(), session.trainer.progress)
            session.run()
    return session


def check_extras(config: Config) -> None:
    """Raise `ConfigError` where something is asked for that an extra is needed for, and that is not installed."""
    if config.visualize:
        check_drawing()
    if config.tensorboard:
        check_events()


def _noting(listener: Listener, noted: list[str]) -> Callable[[str], None]:
    """Return what tells a listener of something out of the ordinary, and keeps it for the log."""

    def note(text: str) -> None:
        listener.note(text)
        noted.append(f"note: {text}")

    return note


def _kept_preprocessing(folder: RunFolder, checkpoint: Checkpoint) -> tuple[Preprocessing | None, list[str]]:
    """Return what a run keeps of how its data were prepared, and a note where that cannot be used."""
    try:
        return folder.read_preprocessing(checkpoint), []
    except RunError as error:
        return None, [f"note: {error}; it was made anew from the data"]


def _changes(before: Config, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what changes in a run; refuse what may not."""
    for name, value in given.items():
        option = OPTIONS[name]
        if name == "network":
            value = canonical(value, given.get("models_folder", before.models_folder))  # noqa: PLW2901
        elif option.canonical is not None:
            value = option.canonical(value)  # noqa: PLW2901
        if name == "dataset" and is_own(value):
            continue  # it may have moved: its checksum tells whether it is the same
        if name not in CHANGEABLE and value != getattr(before, name):
            spelled = "-O" if option.type is dict else option.flag
            raise ConfigError(
                f"{spelled} {value} differs from the run's {getattr(before, name)}: a resumed run keeps its "
                f"options, only {', '.join(map(flag, CHANGEABLE))} may change"
            )
    if before.schedule == "cosine" and given.get("epochs", before.epochs) != before.epochs:
        raise ConfigError(
            f"--epochs {given['epochs']} differs from the run's {before.epochs}, at which its --schedule cosine has "
            "come to 0: resume it without --epochs, or begin another run from its weights with --load"
        )
    return {name: given[name] for name in (*CHANGEABLE, "dataset") if name in given}


def moved(config: Config, changes: Mapping[str, Any]) -> Config:
    """Return a run's options with changes in where it computes; what was for CUDA alone goes with its backend."""
    if changes.get("backend") == "numpy":
        changes = {**cuda_defaults(), **changes}
    if changes.get("track") in (NONE, False):
        changes = {"track_every": OPTIONS["track_every"].default, **changes}
    return config.replace(**changes).resolve()


def fallback_notes(config: Config) -> list[str]:
    """Return a note on why a run that may use CUDA computes on the CPU, where that is not to be expected."""
    note = auto_note() if config.backend == "auto" else None
    return [note] if note else []
