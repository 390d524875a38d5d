"""A run folder: what a run was asked to do, what it has done, and the checkpoint it goes on from."""

import contextlib
import platform
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w

from bdfa_np.data import Preprocessing
from bdfa_np.diagnostics.diagnostics import Diagnostics
from bdfa_np.diagnostics.quantities import FILE as DIAGNOSTICS
from bdfa_np.errors import ConfigError, ContentError, ExtensionError, RunError
from bdfa_np.extensions import held
from bdfa_np.options.changes import check_unedited
from bdfa_np.options.config import Config
from bdfa_np.runs.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from bdfa_np.runs.history import lowest
from bdfa_np.runs.preprocessing import parting, read_preprocessing, write_preprocessing
from bdfa_np.runs.store.document import as_begun, check_document, check_same_code, described
from bdfa_np.runs.store.epochs import EpochWriter, read_epochs
from bdfa_np.runs.store.figures import (
    ERROR_RATE_HEADER,
    confusion_csv,
    error_rate_rows,
    keep_text,
    metrics_header,
    metrics_rows,
    read_metrics,
)
from bdfa_np.runs.store.log import failure_of, mended
from bdfa_np.runs.store.names import HISTORY, HOLDS, RESULT
from bdfa_np.runs.store.place import HeldFolder
from bdfa_np.runs.store.result import RunResult
from bdfa_np.system.files import append_to, encoded, is_plain, refusal, replace_file, replace_text
from bdfa_np.system.reading import DAMAGE, parsed_toml, reason_of
from bdfa_np.system.sealed import problems_told, read_text
from bdfa_np.trainer import EpochRecord
from bdfa_np.trust.gate import Files, copies, of_run

CONFIG, METRICS, ERROR_RATE, CHECKPOINT, CONFUSION, LOG, CURVES, PREPROCESSING, BEST, *_ = FILES = tuple(HOLDS)


class RunFolder(HeldFolder):
    """A folder that holds one run, with all its files, each replaced as a whole or added to at its end.

    A new run is put together in a hidden folder inside it, and takes its place in one step: see `new`.

    The checkpoint is the truth, with the figures of its epochs in ``history.bin`` and what was measured meanwhile in
    ``diagnostics.h5``; ``metrics.csv``, ``ErrorRate.log``, ``confusion.csv`` and TensorBoard's event files follow from
    these. Where a kill comes between two writes, `go_on_from` makes that good.
    ``best.h5`` is the checkpoint after the epoch with the lowest error on the part tested on. ``result.toml`` is there
    once all epochs are done, and goes when more are asked for.

    Parameters
    ----------
    path : path
        The folder.
    numbered : bool, default False
        Whether a new run takes the next free name, ``NAME_2`` and so on, where there is something of this name.
    """

    files = FILES
    first = CHECKPOINT
    begun = (CONFIG, CHECKPOINT)

    def __init__(self, path: Path, *, numbered: bool = False) -> None:
        super().__init__(path, numbered=numbered)
        self._epochs = EpochWriter()
        self._measurements = -1

    @contextlib.contextmanager
    def resumed(
        self, *, given: Files | None = None, trust: bool = False
    ) -> Iterator[tuple[Config, dict[str, Any], Checkpoint, list[str]]]:
        """Take the folder to go on with its run, and keep other processes out meanwhile; parameters are `opened`'s.

        Yields
        ------
        Config, dict, Checkpoint, list of str
            As from `opened`.

        Raises
        ------
        RunError
            If there is no usable run in it, or another process is training there.
        UntrustedError
            If its net or its rule would be run, and nobody has named it.
        """
        self.read_document()
        with self._locked(), self.opened(given=given, trust=trust) as run:
            yield run

    @contextlib.contextmanager
    def opened(
        self, *, given: Files | None = None, trust: bool = False
    ) -> Iterator[tuple[Config, dict[str, Any], Checkpoint, list[str]]]:
        """Let the net and the rule of the run be run meanwhile, if they may be.

        Parameters
        ----------
        given : mapping of str to Code, optional
            The files of nets and rules that this very call names.
        trust : bool, default False
            Whether files may be run that neither this call names nor the user's list.

        Yields
        ------
        Config, dict, Checkpoint, list of str
            The run's options, resolved, the whole of its ``config.toml``, its last checkpoint, and notes.

        Raises
        ------
        RunError
            If there is no usable run, its ``config.toml`` was edited, or a net or a rule from outside is gone or has
            changed, and the run has no copy.
        UntrustedError
            If a net or a rule would be run that nobody has named.
        """
        config, document = self.read_document()
        last = self.read_checkpoint(history=False)
        notes = check_unedited(config, document, last.record, self.file(CONFIG))
        with self._problems_told():
            files, of_files = of_run(self.path, config, document["run"], given or {}, trust=trust)
        with held(files):
            with self._problems_told():
                check_same_code(config, document, self.path)  # of a distribution's too, before any of it is run
                config = config.resolve()
            yield config, document, last, [*notes, *of_files]

    def read_document(self) -> tuple[Config, dict[str, Any]]:
        """Return the run's options and its ``config.toml`` as they were written; nothing from outside is run or sought.

        Raises
        ------
        RunError
            If there is no run, or its ``config.toml`` is damaged.
        """
        self.finish()
        with self._problems_told():
            document = parsed_toml(read_text(self.file(CONFIG)))
            check_document(document)
            return Config.from_mapping(as_begun(document["options"])), document

    @contextlib.contextmanager
    def _problems_told(self) -> Iterator[None]:
        """Raise `RunError` in place of whatever is wrong with ``config.toml``."""
        path = self.file(CONFIG)
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            raise RunError(f"there is no run in {self.path}: {CONFIG} is missing") from None
        except ExtensionError as error:
            raise RunError(f"the run in {self.path} cannot be read: {error}") from error
        except (ConfigError, ContentError, *DAMAGE) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise RunError(refusal(Path(error.filename or path), error)) from error
            reason = f"{error} is missing" if isinstance(error, KeyError) else reason_of(error)
            raise RunError(f"{path} is damaged: {reason}") from error

    def read_checkpoint(self, *, history: bool = True) -> Checkpoint:
        """Return the last checkpoint; see `read_checkpoint` of `bdfa_np.runs.checkpoint` for what it raises."""
        return read_checkpoint(self.file(CHECKPOINT), history=history)

    def read_best(self) -> Checkpoint:
        """Return the checkpoint after the epoch with the lowest error on the part tested on.

        Raises
        ------
        RunError
            If there is none, or it cannot be read.
        """
        config, _ = self.read_document()
        if not config.keep_best:
            raise RunError(f"{self.path} has no {BEST}: it was trained without --keep-best, and has the last net alone")
        last = self.read_checkpoint()
        if not last.history:
            raise RunError(f"{self.path} has no {BEST} yet: no epoch is done")
        if _is_best(last):
            return last  # which a run stopped between the two writes has in its checkpoint alone
        best = read_checkpoint(self.file(BEST))
        best.preprocessing = last.preprocessing  # a resume may have written that anew
        return best

    def read_preprocessing(self, checkpoint: Checkpoint) -> Preprocessing | None:
        """Return what is done to a raw sample; None of a run begun before that was kept.

        Raises
        ------
        RunError
            If the file is missing, or not that of the checkpoint.
        """
        if not checkpoint.preprocessing:
            return None
        return read_preprocessing(self.file(PREPROCESSING), checkpoint.preprocessing)

    def write_preprocessing(self, preprocessing: Preprocessing) -> str:
        """Write what is done to a raw sample, and return the file's SHA-256."""
        return write_preprocessing(self.file(PREPROCESSING), preprocessing)

    def keep_preprocessing(self, checkpoint: Checkpoint, kept: Preprocessing | None, made: Preprocessing) -> list[str]:
        """See that a resumed run's folder holds the preprocessing of its data; return what is to be said of it.

        Parameters
        ----------
        checkpoint : Checkpoint
            The run's last.
        kept : Preprocessing or None
            What the folder holds, where that can be used.
        made : Preprocessing
            That of the data as they were loaded now.
        """
        parts = 0.0 if kept is None else parting(kept, made)
        if kept is None or parts:
            checkpoint.preprocessing = self.write_preprocessing(made)
            write_checkpoint(self.file(CHECKPOINT), checkpoint)
        if not parts:
            return []
        return [f"note: the preprocessing, fitted anew, differs from the run's by {parts:.1g}: digits may differ"]

    def write_config(self, config: Config, data: Mapping[str, Any], where: Mapping[str, Any]) -> None:
        """Write ``config.toml``: the options as resolved, versions, what the data were, and where it computes.

        ``where`` has the name of the backend in use, and the number of processes where that is more than one.
        """
        run = {**where, "dtype": "float32", "machine": platform.machine(), "system": platform.system()}
        document = {"options": config.to_mapping(), **described(config, data)}
        document["run"] = {**run, **document["run"]}
        for name, code in copies(config).items():
            with replace_file(self.file(name)) as file:
                file.write(code.content)
        replace_text(self.file(CONFIG), tomli_w.dumps(document))

    def begin(self, checkpoint: Checkpoint, class_names: Sequence[str], config: Config) -> None:
        """Write the checkpoint of the untrained net and what else a new run begins with.

        The run then takes the folder, unless it is to replace another one: see `write_epoch`.
        """
        self._epochs.begin(self.file(HISTORY))
        checkpoint.history_sha256 = self._epochs.sha256
        write_checkpoint(self.file(CHECKPOINT), checkpoint)
        self._write_follows(checkpoint, class_names, config)
        if not self._replaces:
            self._take()

    def keep_history(self, checkpoint: Checkpoint) -> list[str]:
        """Read the epochs that a resumed run has done into its checkpoint; return what is to be said of it.

        Their file is put right where that is needed: epochs that were not saved are left out, those of a checkpoint
        of format 1 put in.

        Raises
        ------
        RunError
            If they are lost.
        """
        notes = []
        if checkpoint.history_sha256:
            path, epochs = self.file(HISTORY), checkpoint.progress.epoch
            try:
                checkpoint.history = read_epochs(path, epochs, checkpoint.history_sha256)
            except RunError as error:
                checkpoint.history = self._history_of_metrics(checkpoint, error)
                notes.append(f"note: {path} was missing or damaged; it was made anew from {METRICS}")
        self._epochs = EpochWriter(checkpoint.history)
        self._epochs.begin(self.file(HISTORY))
        checkpoint.history_sha256 = self._epochs.sha256
        return notes

    def _history_of_metrics(self, checkpoint: Checkpoint, error: RunError) -> list[EpochRecord]:
        """Return the epochs done as ``metrics.csv`` has them, if it has every digit; else raise `RunError`."""
        path = self.file(METRICS)
        try:
            history = read_metrics(read_text(path))[: checkpoint.progress.epoch]
            if is_plain(path) and EpochWriter(history).sha256 == checkpoint.history_sha256:
                return history
        except (ContentError, *DAMAGE):
            pass
        what = str(error).partition(":")[0]
        raise RunError(
            f"{what}, and {METRICS} is not as it was written either: restore one of them from a copy, or start another "
            f"run from the weights with --load {shlex.quote(str(self.path))}"
        ) from error

    def go_on_from(
        self,
        checkpoint: Checkpoint,
        class_names: Sequence[str],
        config: Config,
        opening: Sequence[str],
        epoch_lines: Sequence[str],
    ) -> None:
        """See that everything in the folder is that of a checkpoint, whatever a kill has left.

        Parameters
        ----------
        checkpoint : Checkpoint
            The run's last one, after `keep_history`.
        class_names : sequence of str
            Of the data.
        config : Config
            The run's options.
        opening, epoch_lines : sequence of str
            How a log begins, and its lines of the epochs done.
        """
        self.write_measured(checkpoint.measured)
        self._write_follows(checkpoint, class_names, config)
        keep_text(self.file(LOG), mended(self._log(), opening, epoch_lines))

    def write_epoch(self, checkpoint: Checkpoint, class_names: Sequence[str], config: Config, *, best: bool) -> None:
        """Write the checkpoint after one more epoch, then what follows from it.

        A new run that is to replace another one then takes the folder.

        Parameters
        ----------
        checkpoint : Checkpoint
            With the whole history, and all that was measured.
        class_names : sequence of str
            Of the data.
        config : Config
            The run's options.
        best : bool
            Whether the epoch's error on the part tested on is the lowest so far.
        """
        records = checkpoint.history[-1:]
        self._epochs.append(self.file(HISTORY), *records)
        checkpoint.history_sha256 = self._epochs.sha256
        self.write_measured(checkpoint.measured)
        write_checkpoint(self.file(CHECKPOINT), checkpoint)
        if config.keep_best and best:
            write_checkpoint(self.file(BEST), checkpoint)
        append_to(self.file(METRICS), encoded(metrics_rows(records, checkpoint.measured)))
        append_to(self.file(ERROR_RATE), encoded(error_rate_rows(records)))
        replace_text(self.file(CONFUSION), confusion_csv(checkpoint.confusion.tolist(), class_names))
        if self.is_staged:
            self._take()

    def _write_follows(self, checkpoint: Checkpoint, class_names: Sequence[str], config: Config) -> None:
        """Write ``best.h5`` if this is the best epoch and it is wanted, and the tables, where they are not so yet."""
        if config.keep_best and _is_best(checkpoint):
            write_checkpoint(self.file(BEST), checkpoint)
        history, measured = checkpoint.history, checkpoint.measured
        header = metrics_header(config.tested_on, measured)
        keep_text(self.file(METRICS), header + metrics_rows(history, measured))
        keep_text(self.file(ERROR_RATE), ERROR_RATE_HEADER + error_rate_rows(history))
        keep_text(self.file(CONFUSION), confusion_csv(checkpoint.confusion.tolist(), class_names))

    @property
    def has_result(self) -> bool:
        """Whether it says what the run has come to; runs of earlier versions do not."""
        return self.file(RESULT).exists()

    def write_result(self, result: RunResult) -> None:
        """Write what the run has come to."""
        replace_text(self.file(RESULT), result.to_toml())

    def remove_result(self) -> None:
        """Forget what the run had come to: it goes on."""
        self.file(RESULT).unlink(missing_ok=True)

    def read_result(self) -> RunResult | None:
        """Return what the run has come to; None where its epochs are not done, or an earlier version did them.

        Raises
        ------
        RunError
            If the file is damaged.
        """
        path = self.file(RESULT)
        if not path.exists():
            return None
        with problems_told(path, missing="try again", damaged="remove it, and --resume writes it anew"):
            return RunResult.from_mapping(parsed_toml(read_text(path)))

    def read_diagnostics(self) -> Diagnostics | None:
        """Return what was measured of the run; None where nothing was.

        Raises
        ------
        RunError
            If the file is damaged.
        """
        path = self.file(DIAGNOSTICS)
        return Diagnostics.read(path) if path.exists() else None

    def keep_measured(self, checkpoint: Checkpoint, *, expected: bool) -> list[str]:
        """Read what was measured of a resumed run up to its checkpoint into it; return what is to be said of it.

        Parameters
        ----------
        checkpoint : Checkpoint
            The run's last.
        expected : bool
            Whether there should be something.

        Raises
        ------
        RunError
            If the file is damaged.
        """
        found = self.read_diagnostics()
        checkpoint.measured = None if found is None else found.up_to(checkpoint.steps)
        if found is None and expected and checkpoint.steps:
            return [f"note: {self.file(DIAGNOSTICS)} is missing, and with it what was measured before"]
        return []

    def write_measured(self, diagnostics: Diagnostics | None) -> None:
        """Write what was measured so far, where there is more or less of it than was written last."""
        if diagnostics is not None and len(diagnostics) != self._measurements:
            diagnostics.write(self.file(DIAGNOSTICS))
            self._measurements = len(diagnostics)

    def log(self, lines: Sequence[str]) -> None:
        """Add lines to ``Log.txt``."""
        append_to(self.file(LOG), encoded("".join(f"{line}\n" for line in lines)))

    def read_failure(self) -> str:
        """Return the error that has ended the run, as after its loss was no number; empty where none has."""
        return failure_of(self._log())

    def _log(self) -> str:
        log = self.file(LOG)
        return log.read_bytes().decode(errors="replace") if is_plain(log) else ""


def _is_best(checkpoint: Checkpoint) -> bool:
    """Return whether the last epoch's error on the part tested on is the lowest so far."""
    return bool(checkpoint.history) and lowest(checkpoint.history).epoch == checkpoint.progress.epoch
