"""A table that the tests of own data share."""

from pathlib import Path

import numpy as np
import pytest


def table_text(rows: int = 60, seed: int = 0) -> str:
    """Return a table of three kinds of flowers, sorted by kind, which two of its columns tell apart."""
    generator = np.random.default_rng(seed)
    lines = ["length,width,weight,kind"]
    for number in range(rows):
        kind = number * 3 // rows
        length, width = generator.normal([3.0 * kind, 1.0 - kind], 0.3)
        lines.append(f"{length:.4f},{width:.4f},{1000 + generator.normal(0, 300):.1f},{('iris', 'lily', 'rose')[kind]}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    path = tmp_path / "flowers.csv"
    path.write_text(table_text())
    return path
