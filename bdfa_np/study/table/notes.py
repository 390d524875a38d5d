"""What a table says in words: what is missing of a cell, and what was trained."""

from collections.abc import Iterable, Sequence

from bdfa_np.study.table.found import FoundRun
from bdfa_np.system.text import counted


def note_of(runs: Sequence[FoundRun]) -> str:
    """Return what is to be known of a cell by its runs, one a seed; empty where all is as it should be."""
    finished = [run for run in runs if run.state == "finished"]
    failed = [run for run in runs if run.state == "failed"]
    left_out = sum(1 for run in runs if run.left_out)
    if all(run.state == "missing" for run in runs) and not left_out:
        return "not begun"
    said = []
    if any(run.run.is_shortened for run in runs):
        said.append(f"{runs[0].run.options['epochs']} of {runs[0].epochs} epochs")
    if len(finished) < len(runs):
        said.append(f"{len(finished)} of {counted(len(runs), 'seed')}")
    for state, word in (("running", "running"), ("unfinished", "stopped")):
        those = [run for run in runs if run.state == state]
        if those:
            said.append(f"{_many(those, len(runs))}{word} at {_epochs(those)}")
    if failed:
        said.append(f"{_many(failed, len(runs))}failed: {failed[0].failure}")
    if left_out:
        said.append(f"{left_out} left out")
    nothing = [run for run in finished if run.result is not None and run.result.learns_nothing]
    if nothing:
        said.append("learns nothing" if len(nothing) == len(finished) else f"{len(nothing)} learn nothing")
    return "; ".join(said)


def _many(some: Sequence[FoundRun], of: int) -> str:
    return f"{len(some)} " if of > 1 else ""


def _epochs(runs: Sequence[FoundRun]) -> str:
    """Return how many epochs runs have done, of how many."""
    done = sorted({len(run.history) for run in runs})
    return f"{'-'.join(map(str, dict.fromkeys((done[0], done[-1]))))} of {runs[0].run.options['epochs']} epochs"


def left_out_lines(runs: Iterable[FoundRun]) -> list[str]:
    """Return which runs are left out and why, those of one reason in one sentence."""
    by_reason: dict[str, list[FoundRun]] = {}
    for run in runs:
        if run.left_out:
            by_reason.setdefault(run.left_out.replace(run.run.folder, ""), []).append(run)
    lines = []
    for first, *others in by_reason.values():
        likewise = f"; likewise {', '.join(run.run.folder for run in others)}" if others else ""
        lines.append(f"left out: {first.left_out}{likewise}")
    return lines


def footer(runs: Sequence[FoundRun]) -> list[str]:
    """Return what was trained, a sentence each: runs, versions, machines."""
    used = [run for run in runs if run.state == "finished"]
    trained = f"trained: {len(used):,} of {counted(len(runs), 'run')} finished"
    if not used:
        return [trained]
    machines = _all(
        f"{run.document['run'].get('machine', '?')} {run.document['run'].get('system', '')}" for run in used
    )
    computed = _all(_computed(run) for run in used)
    names = dict.fromkeys(name for run in used for name in run.document["versions"])
    versions = {name: _all(str(run.document["versions"].get(name)) for run in used) for name in names}
    said = ", ".join(f"{name} {found}" for name, found in versions.items())
    lines = [f"{trained}; {machines}, {computed}; {said}"]
    differing = [name for name, found in versions.items() if " and " in found]
    if differing:
        lines.append(f"versions differ between runs ({', '.join(differing)}): so may the last digits")
    return lines


def _computed(run: FoundRun) -> str:
    backend = run.document["run"].get("backend", "numpy")
    threads = run.document["options"].get("threads")
    return f"{backend}, {counted(threads, 'thread')}" if backend == "numpy" and isinstance(threads, int) else backend


def _all(texts: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(text.strip() for text in texts))
