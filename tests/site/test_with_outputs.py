"""The site as it is published: its notebooks are run while it is built."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="the site is built with the extra 'docs'")
DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.slow
def test_the_site_is_built_with_the_outputs_of_its_notebooks(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", DOCS, tmp_path]
    built = subprocess.run(command, check=False, capture_output=True, text=True)
    said = [line for line in built.stderr.splitlines() if not line.startswith("[IPKernelApp]")]  # of its own sockets
    assert (built.returncode, said) == (0, [])
    notebooks = sorted((DOCS / "notebooks").glob("[0-9]*.md"))
    assert notebooks
    for notebook in notebooks:
        page = (tmp_path / "notebooks" / f"{notebook.stem}.html").read_text(encoding="utf-8")
        assert 'class="cell_output' in page, notebook.name
        assert re.search(r'<img[^>]*src="\.\./_images/', page), notebook.name
        assert "Traceback" not in page
