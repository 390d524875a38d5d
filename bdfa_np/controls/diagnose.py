"""A run diagnosed: its net measured layer by layer, held against its controls, and judged."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bdfa_np.controls.against import Comparison
from bdfa_np.controls.diagnosis import Diagnosis
from bdfa_np.controls.measuring import measured, scales_of
from bdfa_np.controls.plan import chosen, controls_of, itself, planned_epochs, shape_of
from bdfa_np.controls.training import Workshop
from bdfa_np.controls.verdicts import reference_valid, scale_stable
from bdfa_np.data import Dataset
from bdfa_np.errors import ConfigError, ContentError, RunError
from bdfa_np.extensions import blamed
from bdfa_np.options.machine import CUDA
from bdfa_np.runs.data import load_data_of_run
from bdfa_np.runs.evaluation import in_use_now
from bdfa_np.runs.events import Listener
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.listing.summaries import find_runs
from bdfa_np.runs.loading import model_for, restore
from bdfa_np.runs.store.names import DIAGNOSIS
from bdfa_np.runs.train import TrainingResult
from bdfa_np.study.description import COPY
from bdfa_np.study.events import Watcher
from bdfa_np.study.lines import watcher_for
from bdfa_np.system.files import replace_text
from bdfa_np.system.paths import user_path
from bdfa_np.system.sealed import read_text
from bdfa_np.system.threads import limited_threads

FORMAT = 1
"""Version of what is kept; of any other nothing is known."""
MACHINE = ("datapath", "cache_dir", "threads", "backend", *(option.name for option in CUDA), "dataset")
"""Options of where controls are trained, which are those that the run's net is used with."""


def diagnose(
    run: str | os.PathLike[str] | TrainingResult,
    *,
    controls: str | Sequence[str] = "all",
    best: bool = False,
    part: str = "test",
    trust: bool = False,
    dataset: str | os.PathLike[str] | Dataset | None = None,
    progress: bool | None = None,
    **machine: Any,
) -> Diagnosis:
    """Look at a trained net: each layer's measures, what it recovers of exact gradients' gain, and three verdicts.

    Controls are trained as the run was, with its seed, its data and as many epochs, in run folders under
    ``controls`` in its own. They are trained once; after an interrupt the same call goes on.

    Parameters
    ----------
    run : str, path or TrainingResult
        A run folder, or what `bdfa_np.train` returned with ``save``.
    controls : str or sequence of str, default "all"
        Which controls: ``"all"``, ``"none"``, or some of ``bp`` (exact gradients), ``frozen`` (the output layer
        learns alone), ``linear`` (no hidden layer) and ``shallow`` (one hidden layer); in a text with commas between.
    best : bool, default False
        Whether to look at the net of the lowest validation error, which ``keep_best`` keeps, not the last one.
    part : {"test", "validation"}, default "test"
        On which images errors are compared.
    trust : bool, default False
        As in `bdfa_np.load_run`.
    dataset : str, path or Dataset, optional
        Where the run's data set of your own is now, or the data set itself where it was handed over in memory.
    progress : bool, optional
        Whether to print a line for every control that is done; by default in a terminal and in a notebook.
    **machine
        Where to compute and where the data are: ``datapath``, ``cache_dir``, ``threads``, ``backend``, ``device``.

    Returns
    -------
    Diagnosis
        A notebook shows it as tables; ``print`` as text.

    Raises
    ------
    ConfigError, DataError, RunError, BackendError
        Whatever a user can mend, in one line.
    UntrustedError
        As in `bdfa_np.load_run`.
    KeyboardInterrupt
        After Ctrl-C; what is done of the controls is kept.

    References
    ----------
    arXiv 2606.21126: scale stability, reference validity, depth utility.
    """
    for name in machine:
        if name not in MACHINE:
            raise ConfigError(f"there is no argument {name!r} here: {', '.join(MACHINE[:-1])} may be given")
    if isinstance(run, TrainingResult):
        if run.folder is None:
            raise ConfigError("this run was not kept: train with save=RUN, whose folder its controls go into")
        run = run.folder
    given = {name: os.fspath(one) if isinstance(one, os.PathLike) else one for name, one in machine.items()}
    if isinstance(dataset, (str, os.PathLike)):
        given["dataset"] = os.fspath(dataset)
    path = user_path(run, "the run folder")
    return diagnose_run(
        path,
        controls=controls,
        best=best,
        part=part,
        changes=given,
        trust=trust,
        dataset=dataset if isinstance(dataset, Dataset) else None,
        listener=_Warning(),
        watcher=watcher_for(f"controls of {path}", "error", progress),
    )


class _Warning(Listener):
    """Warns of what is out of the ordinary, as `bdfa_np.load_run` does."""

    def note(self, text: str) -> None:
        """Warn."""
        warnings.warn(text, stacklevel=2)


@blamed()
def diagnose_run(
    run: Path,
    *,
    controls: str | Sequence[str] = "all",
    best: bool = False,
    part: str = "test",
    changes: Mapping[str, Any] | None = None,
    trust: bool = False,
    dataset: Dataset | None = None,
    listener: Listener | None = None,
    watcher: Watcher | None = None,
    announced: Callable[[Workshop], None] | None = None,
) -> Diagnosis:
    """Do what `diagnose` does.

    Parameters
    ----------
    run, controls, best, part, trust, dataset
        As in `diagnose`.
    changes : mapping, optional
        Where to compute and where the data are, as in `bdfa_np.runs.evaluation.evaluate_run`.
    listener : Listener, optional
        Who hears of data that are prepared anew.
    watcher : Watcher, optional
        Who hears how far controls are.
    announced : callable, optional
        Called with the controls before any is trained.
    """
    listener, watcher = listener or Listener(), watcher or Watcher()
    wanted = chosen(controls)
    folder = RunFolder(run)
    if folder.is_vacant and (below := sorted(find_runs(run))):
        what = "a study" if (run / COPY).is_file() else "no run, and holds some"
        raise RunError(f"{run} is {what}: name one of its runs, as in {below[0]}")
    with folder.opened(trust=trust) as (trained, document, last, said):
        for text in said:
            listener.note(text)
        config = in_use_now(trained, run, part, changes, listener)
        epochs = planned_epochs(trained, last.progress, run, needed=bool(wanted))
        checkpoint = folder.read_best() if best else last
        with limited_threads(config.threads):
            kept = folder.read_preprocessing(checkpoint) if config.whiten else None
            own = config.replace(test_limit=trained.test_limit)  # measured on what training measures on
            data = load_data_of_run(
                own, document, run, dataset, kept=kept, progress=listener.progress, note=listener.note
            )
            model = model_for(config, data)
            restore(model, checkpoint, run)
            shape = shape_of(model.network)
            machine = {name: getattr(config, name) for name in MACHINE if getattr(config, name) is not None}
            workshop = Workshop(run, document, controls_of(trained, shape, epochs, wanted), machine, dataset)
            if announced is not None:
                announced(workshop)
            failed = workshop.train(watcher)
            tested = data.with_real_test_set() if part == "test" else data.without_limit(config.seed)
            against = Comparison(model, tested, workshop, failed, itself(trained, shape), best=best)
            layers, values = measured(model, data)
            scales = scales_of(model.network, layers, values, folder.read_diagnostics(), checkpoint.progress.epoch)
            found = Diagnosis(
                run=run,
                rule=trained.gradient,
                network=trained.network,
                dataset=trained.dataset,
                epoch=checkpoint.progress.epoch,
                epochs=last.progress.epoch,
                best=best,
                part=part,
                images=len(against.right),
                sample="vector" if data.split.holds_vectors else "image",
                error=against.error,
                layers=layers,
                values=values,
                controls=against.results(),
                recovery=against.recovery(shape.hidden),
                verdicts=(
                    scale_stable(scales),
                    reference_valid(layers, values["meaningful"], values["exact_norm"]),
                    against.depth_used(shape.hidden),
                ),
            )
        if wanted:
            _keep(found, last.history_sha256)
    return found


def _keep(found: Diagnosis, history_sha256: str) -> None:
    """Keep what was found in the run folder, with what tells whether the run has gone on since."""
    kept = {"format": FORMAT, "history_sha256": history_sha256, "diagnosis": found.to_mapping()}
    before = cached_diagnosis(found.run)
    same_net = before is not None and (before.best, before.part) == (found.best, found.part)
    if before is not None and same_net and len(before.controls) > len(found.controls):
        return  # what is there says more
    replace_text(found.run / DIAGNOSIS, json.dumps(kept, indent=1, ensure_ascii=False))


def cached_diagnosis(run: str | os.PathLike[str]) -> Diagnosis | None:
    """Return what `diagnose` last found of a run with controls; nothing is trained, loaded or measured.

    Parameters
    ----------
    run : str or path
        A run folder.

    Returns
    -------
    Diagnosis or None
        None where it was never diagnosed with controls, has gone on since, or what was kept is damaged.

    Raises
    ------
    RunError
        If there is no usable run.
    """
    folder = RunFolder(user_path(run, "the run folder"))
    last = folder.read_checkpoint(history=False)
    try:
        kept = json.loads(read_text(folder.file(DIAGNOSIS)))
        if kept["format"] != FORMAT or kept["history_sha256"] != last.history_sha256:
            return None
        return Diagnosis.from_mapping(kept["diagnosis"], folder.path)
    except (OSError, ContentError, ValueError, KeyError, TypeError, AttributeError):
        return None  # it is made anew by the next `bdfa diagnose`
