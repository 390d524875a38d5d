"""Draw the paths of every rule for the pages in this folder: ``python docs/maths/draw.py``."""

from pathlib import Path

from bdfa_np import figures
from bdfa_np.rules import RULES

if __name__ == "__main__":
    for name in RULES:
        figures.save(figures.paths(name).figure, Path(__file__).parent / "paths" / f"{name}.svg")
