"""What is to be said of a search beside a table: how, over what, how many trials each cell got, and what was chosen."""

from collections.abc import Sequence

from bdfa_np.study.description import Study
from bdfa_np.study.folder import StudyFolder
from bdfa_np.study.search.choosing import CellSearch, searches
from bdfa_np.study.search.record import Choice
from bdfa_np.study.search.settings import Search
from bdfa_np.study.search.space import option_texts
from bdfa_np.system.text import counted

HOW = {
    "random": "drawn at random",
    "optuna": "asked of Optuna (tree-structured Parzen estimator)",
    "grid": "all combinations",
}


def search_lines(study: Study, folder: StudyFolder, *, epochs: int | None = None) -> list[str]:
    """Return what is to be said of a study's search; nothing of a study without one.

    Parameters
    ----------
    study : Study
        The study.
    folder : StudyFolder
        Its folder.
    epochs : int, optional
        How many epochs each run of a shortened study has.

    Raises
    ------
    RunError
        If what a search has come to is damaged.
    """
    found = searches(study, folder, epochs=epochs)
    if not found:
        return []
    return [*_settings(found), *(_of_cell(one, one.choice()) for one in found), *_unlike(found)]


def settings_lines(study: Study) -> list[str]:
    """Return what a study's search is to be, whatever has been made of it; nothing of a study without one."""
    found = searches(study, StudyFolder(""))  # in which nothing is looked for
    return [*_settings(found), *_unlike(found)] if found else []


def _settings(found: Sequence[CellSearch]) -> list[str]:
    return [_how(found), f"searched: {'; '.join(one.text for one in found[0].search.space)}"]


def _how(found: Sequence[CellSearch]) -> str:
    search: Search = found[0].search
    epochs = sorted({(one.epochs if one.is_shortened else one.whole_epochs) or 0 for one in found})
    of_whole = f" of {found[0].whole_epochs}" if found[0].is_shortened else ""
    length = f"{', '.join(map(str, epochs))}{of_whole}"
    each = f"{counted(search.trials, 'trial')} for each search, " if search.trials else ""
    if search.trials and not search.per:
        each = f"{counted(search.trials, 'trial')} for each cell, "
    unit = "epoch" if length == "1" else "epochs"
    also = (
        ""
        if all(cell.options.get("validate") for one in found for cell in one.cells)
        else (", held out of the training images for the search alone")
    )
    return (
        f"search: {each}{HOW[search.method]}, of {length} {unit} with seed {search.seed}; "
        f"chosen by the error on validation images after the last epoch{also}"
    )


def _of_cell(one: CellSearch, choice: Choice | None) -> str:
    names = ", ".join(cell.name for cell in one.cells)
    left_out = [d.name for d in one.search.space if d not in one.search.of_cell(one.cell)]
    without = f"; without {', '.join(left_out)}, which has no part there" if left_out else ""
    if choice is None:
        return f"  {names}: {_unfinished(one)}{without}"
    failed = f", {len(choice.failed)} failed" if choice.failed else ""
    best = choice.best
    if best is None:
        return f"  {names}: {counted(len(choice.trials), 'trial')}, all failed: nothing is chosen{without}"
    return (
        f"  {names}: {counted(len(choice.trials), 'trial')}{failed}; chosen: {option_texts(best.options)} "
        f"(trial {best.number}, validation error {100 * (best.error or 0):.2f} %){without}"
    )


def _unfinished(one: CellSearch) -> str:
    done = one.done()
    return f"{done} of {counted(one.wanted, 'trial')} done, nothing is chosen yet"


def _unlike(found: Sequence[CellSearch]) -> list[str]:
    """Say so where not every cell was searched as thoroughly as the others."""
    counts = {one.wanted for one in found}
    sizes = {len(one.search.of_cell(one.cell)) for one in found}
    lines = []
    if len(counts) > 1:
        lines.append("note: cells got different numbers of trials, as they have different numbers of choices")
    if len(sizes) > 1 and len(counts) == 1:
        lines.append("note: each got the same number of trials, for spaces of different numbers of options")
    if len({one.whole_epochs for one in found}) > 1:
        lines.append("note: trials of some cells are longer than those of others")
    return lines
