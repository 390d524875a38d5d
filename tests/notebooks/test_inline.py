"""A picture of ours leaves a notebook able to show those that follow."""

import matplotlib as mpl
import pytest
from matplotlib import pyplot

from bdfa_np.figures import style

BACKEND = """
import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas

matplotlib.interactive(True)
"""
"""As that of Jupyter, it makes matplotlib interactive once it is loaded, which it is with the first figure."""


@pytest.fixture
def _a_notebook_without_a_figure_yet(tmp_path, monkeypatch):
    (tmp_path / "shown_below_the_cell.py").write_text(BACKEND)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(style, "in_notebook", lambda: True)
    monkeypatch.setattr(pyplot, "_backend_mod", None)
    pyplot.close("all")
    before = mpl.get_backend(auto_select=False)
    with mpl.rc_context({"backend": "module://shown_below_the_cell", "interactive": False}):
        yield
        pyplot.close("all")
    mpl.rcParams["backend"] = before or "agg"


@pytest.mark.usefixtures("_a_notebook_without_a_figure_yet")
def test_a_notebook_whose_first_picture_is_ours_stays_interactive():
    with style.applied():
        style.figure()
    assert mpl.is_interactive()
