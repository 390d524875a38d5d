"""How prepared files are listed."""

from typing import TYPE_CHECKING

from bdfa_np.declaration import flag

if TYPE_CHECKING:
    from bdfa_np.data.cache.store import CacheEntry


def line(entry: "CacheEntry") -> str:
    """Return a prepared file's line: its size, its time, its name, and the options that it was prepared with."""
    specification = entry.specification or {}
    preprocessing = specification.get("preprocessing")
    words = [] if entry.state == "ready" else [f"({entry.state})"]
    if isinstance(preprocessing, dict):  # the file may be anybody's
        words += ["--whiten"] if "zca_epsilon" in preprocessing else []
        for name, value in preprocessing.items():
            words += [flag(name)] if value is True else [] if value is False else [flag(name), str(value)]
    return f"{entry.size / 1e6:9,.1f} MB  {entry.modified:%Y-%m-%d %H:%M}  {entry.path.name}  {' '.join(words)}"
