"""Rules as the documentation shows them: what is documented is what is tested."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _shown(page, name):
    """Return the code block of a page that defines a class."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    (block,) = (block for block in blocks if f"class {name}(" in block)
    return block


@pytest.fixture
def documented():
    """Give the source of a documented rule or net by the name of its class."""
    return {
        "DRTP": _shown("docs/first-five-minutes.md", "DRTP"),
        **{name: _shown("docs/rules.md", name) for name in ("SignSymmetry", "KolenPollack", "Scaled", "Damped")},
    }


@pytest.fixture
def rules(tmp_path, documented):
    """Write two rules, each of at most 25 lines, and give their folder."""
    for name, of_class in {"drtp": "DRTP", "signs": "SignSymmetry"}.items():
        assert documented[of_class].count("\n") <= 25
        (tmp_path / f"{name}.py").write_text(documented[of_class])
    return tmp_path
