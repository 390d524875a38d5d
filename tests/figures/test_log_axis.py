"""A logarithmic axis has numbers to read, however narrow it is."""

import pytest

pytest.importorskip("matplotlib", reason="pictures are drawn with the extra 'plot'")

from matplotlib.figure import Figure

from bdfa_np.figures.style import log_axis


@pytest.mark.parametrize(
    ("smallest", "largest"), [(54, 78), (41, 60), (2, 3.5), (0.9, 1.6), (1, 9), (0.1, 50), (0.01, 900)]
)
def test_at_least_two_numbers_stand_on_it(smallest, largest):
    axes = Figure().subplots()
    log_axis(axes, smallest, largest)
    low, high = axes.get_ylim()
    assert sum(low <= tick <= high for tick in axes.get_yticks()) >= 2
