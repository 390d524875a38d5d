"""Check types in the installed package, and nothing else: ``python tests/package/check_types.py``.

mypy follows neither an editable install nor the way in which a checkout finds cli/ and data/. Started in a checkout, it
would check half of the package, or none, and be content.
"""

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOUND = re.compile(r"BuildSource\(path='([^']+)', module='([^']+)'")


def main() -> int:
    """Return the exit code: mypy's, or 1 where it checked something else than the installed package."""
    site = Path(sysconfig.get_path("purelib")) / "bdfa_np"
    command = [sys.executable, "-m", "mypy", "--verbose", "--config-file", str(ROOT / "pyproject.toml")]
    command += ["--cache-dir", str(ROOT / ".mypy_cache"), "-p", "bdfa_np"]
    # From here no folder named bdfa_np is found before the installed one.
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    print(done.stdout, end="")
    checked = {module: Path(path) for path, module in FOUND.findall(done.stderr)}
    elsewhere = sorted(str(path) for path in checked.values() if site not in path.parents)
    if elsewhere:
        print(f"{len(elsewhere)} files that were checked are not the installed package's, among them {elsewhere[0]}")
    missing = {"bdfa_np", "bdfa_np.cli.commands.train", "bdfa_np.data.preparing"} - checked.keys()
    if missing:
        print(f"not checked: {', '.join(sorted(missing))}: install the package, not as editable")
        print(done.stderr[-2000:] if not checked else "", end="")
    return 1 if elsewhere or missing else done.returncode


if __name__ == "__main__":
    sys.exit(main())
