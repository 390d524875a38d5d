"""A folder that one process at a time puts a run into: who holds it, and when a new run takes it."""

import contextlib
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from bdfa_np.errors import RunError, UserError
from bdfa_np.runs.store import taking
from bdfa_np.runs.store.lock import LOCK, alone, is_held
from bdfa_np.system.files import refusal, remove_temporary_files, replace_file
from bdfa_np.system.streams import ReaderGone

PATIENCE = 5.0
"""Seconds for which a reader waits for the process that is just giving the folder to a new run."""


class HeldFolder:
    """A folder for one run; a new one is put together in a hidden folder inside it, and takes its place in one step.

    Parameters
    ----------
    path : path
        The folder.
    numbered : bool, default False
        Whether a new run takes the next free name, ``NAME_2`` and so on, where there is something of this name.

    Attributes
    ----------
    files : tuple of str
        The names of all files that a run can have; whatever else is in the folder is left alone.
    first : str
        The one of them that every run has; see `bdfa_np.runs.store.taking.finish`.
    begun : tuple of str
        Those without which a run cannot be gone on with.
    """

    files: ClassVar[tuple[str, ...]]
    first: ClassVar[str]
    begun: ClassVar[tuple[str, ...]]

    def __init__(self, path: Path, *, numbered: bool = False) -> None:
        self.path = Path(path)
        self.numbered = numbered
        self._place = self.path
        self._replaces = False

    @property
    def is_vacant(self) -> bool:
        """Whether it holds no file of a run, or is not there yet."""
        return not self._files_held()

    @property
    def is_staged(self) -> bool:
        """Whether the new run that is put together here has not taken the folder yet."""
        return self._place != self.path

    def file(self, name: str) -> Path:
        """Return where a file of the run is, or is to be."""
        return self._place / name

    def check_free(self, *, force: bool) -> None:
        """Raise `RunError` if the folder cannot be used for a new run: it is in use, holds one, or is a file."""
        if self.numbered:
            return
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"--save {self.path} is a file: name a folder")
        if is_held(self.path):
            with alone(self.path):  # says so
                pass
        self._check_not_held(force=force)

    def _check_not_held(self, *, force: bool) -> None:
        held = self._files_held()
        if held and not force:
            begun = set(self.begun) <= set(held)
            raise RunError(
                f"{self.path} holds {'a run' if begun else 'files of a run'} already ({', '.join(held)}): "
                f"{'go on with it by --resume, ' if begun else ''}replace it by --force, or name another folder"
            )
        for name in held:
            if (self.path / name).is_dir():
                raise RunError(f"{self.path / name} is a folder: remove it, or name another folder for the run")

    @contextlib.contextmanager
    def new(self, *, force: bool) -> Iterator[None]:
        """Put a new run together, in a folder made if need be, and keep other processes out meanwhile.

        It takes the folder once there is something to go on from. An exception before that leaves the folder as it
        was, and says so.

        Raises
        ------
        RunError
            If a run is in it and ``force`` is false, or another process is training there.
        """
        self.check_free(force=force)
        made = self._make()
        try:
            with self._locked():
                self._check_not_held(force=force)
                self._replaces = not self.is_vacant
                try:
                    self._place = taking.stage(self.path)
                    yield
                except BaseException as error:
                    if self.is_staged:
                        self._give_up(error, made)
                    raise
                finally:
                    self._place = self.path
        finally:
            for folder in made:  # those that nothing has come into
                with contextlib.suppress(OSError):
                    folder.rmdir()

    def put(self, files: Mapping[str, bytes]) -> None:
        """Put a whole run into the folder, in the place of the one that is there, in one step.

        Parameters
        ----------
        files : mapping of str to bytes
            All files of the run by their names.

        Raises
        ------
        RunError
            If another process is in the folder, or it cannot be written to; what was there then stays.
        """
        unknown = sorted(files.keys() - set(self.files))
        if unknown or not set(self.begun) <= files.keys():
            raise RunError(f"what was to come into {self.path} is no run{f': {unknown[0]}' if unknown else ''}")
        with self.new(force=True):
            for name, content in files.items():
                with replace_file(self.file(name)) as file:
                    file.write(content)
            self._take()

    def _give_up(self, error: BaseException, made: Sequence[Path]) -> None:
        """Leave the folder as it was before a new run that an error has stopped; raise the error with that said."""
        taking.discard(self.path)
        if self.path in made:
            with contextlib.suppress(OSError):  # elsewhere than on POSIX a file that is held stays
                (self.path / LOCK).unlink()
        stays = f"the run that was in {self.path} stays as it was"
        if not self._replaces:
            stays = f"no run was begun in {self.path}"
        if isinstance(error, OSError) and error.strerror:
            file = self.path / Path(error.filename).name if error.filename else self.path
            raise RunError(f"{refusal(file, error, 'cannot be written')}; {stays}") from error
        if isinstance(error, UserError) and self._replaces:
            error.args = (f"{error}; {stays}",)
        elif isinstance(error, (KeyboardInterrupt, ReaderGone)):
            error.args = (stays,)
        elif self._replaces:
            error.add_note(stays)

    def _make(self) -> list[Path]:
        """Make the folder, and return which ones had to be made, the innermost first.

        A numbered one is made by this process alone, however many choose a name at once.
        """
        made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        if not self.numbered:
            self.path.mkdir(parents=True, exist_ok=True)
            return made
        self.path.parent.mkdir(parents=True, exist_ok=True)
        first = self.path
        for number in itertools.count(2):
            try:
                self.path.mkdir()
                break
            except FileExistsError:
                self.path = first.with_name(f"{first.name}_{number}")
        self.numbered = False
        self._place = self.path
        return [self.path, *(folder for folder in made if folder != first)]

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes out, and clear up what a stopped one has left."""
        with alone(self.path):
            taking.discard(self.path)
            if taking.is_unfinished(self.path):
                taking.finish(self.path, self.files, self.first)
            remove_temporary_files(self.path / name for name in self.files)
            yield

    def finish(self) -> None:
        """See that a run which has begun to take this folder, and was stopped at it, has the whole of it.

        Raises
        ------
        RunError
            If that cannot be done here.
        """
        waited = 0.0
        while taking.is_unfinished(self.path):
            try:
                with self._locked():
                    return
            except OSError as error:
                raise RunError(
                    f"a new run was stopped while it took {self.path}: "
                    f"{refusal(self.path, error, 'cannot be written, to end that')}"
                ) from error
            except RunError:
                if waited > PATIENCE or not is_held(self.path):
                    raise
                time.sleep(0.05)  # whoever is in it is about to have done so
                waited += 0.05

    def _files_held(self) -> list[str]:
        places = (self.path, self.path / taking.TAKING)
        return [name for name in self.files if any((place / name).exists() for place in places)]

    def _take(self) -> None:
        """Give the folder to the new run."""
        taking.take(self.path, self.files, self.first)
        self._place = self.path
