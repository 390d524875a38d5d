"""Here runs are tried."""

import pytest


@pytest.fixture(autouse=True)
def _threads_that_are_not_tried() -> None:
    """Take the place of the fixture that keeps other tests from a trial."""
