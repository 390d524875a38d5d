"""The manual pages: all commands, options, codes, variables and files, in a form that ``man`` takes without a word."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from bdfa_np.cli.group import bdfa as group
from bdfa_np.cli.manual import contexts, page, page_name, write_pages
from bdfa_np.data.cache.store import default_cache_folder
from bdfa_np.data.sources.download import default_folder
from bdfa_np.runs.folder import FILES
from bdfa_np.system import variables
from bdfa_np.trust.listed import list_path
from bdfa_np.trust.names import LIST

ROOT = Path(__file__).parents[2]
CONTEXTS = {page_name(ctx): ctx for ctx in contexts(group)}
TITLES = "NAME, SYNOPSIS, DESCRIPTION, COMMANDS, OPTIONS, EXAMPLES, NOTES, EXIT STATUS, ENVIRONMENT, FILES, SEE ALSO"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Write all pages."""
    return write_pages(tmp_path_factory.mktemp("manual") / "man1")


@pytest.fixture(scope="module")
def pages(written):
    """Give the text of each page, hyphens as a reader sees them, and without marks of where a line may end."""
    marks = {r"\-": "-", r"\:": "", r"\(aq": "'", r"\fB": "", r"\fP": ""}
    any_mark = "|".join(map(re.escape, marks))
    texts = {path.stem: path.read_text(encoding="utf-8") for path in written}
    return {name: re.sub(any_mark, lambda mark: marks[mark[0]], text) for name, text in texts.items()}


def section(text, title):
    """Return what is under a title."""
    return text.partition(f".SH {title}\n")[2].partition("\n.SH ")[0]


def test_every_command_has_a_page(written, bdfa):
    assert sorted(path.name for path in written) == sorted(f"{name}.1" for name in CONTEXTS)
    assert {"bdfa", "bdfa-train", "bdfa-study-run", "bdfa-data-show-zca"} <= {*CONTEXTS}
    assert len(CONTEXTS) == 30


@pytest.mark.parametrize("name", CONTEXTS)
def test_sections_have_the_names_and_the_order_of_manuals(pages, name):
    titles = re.findall(r"^\.SH (.*)$", pages[name], re.MULTILINE)
    assert titles == [title for title in TITLES.split(", ") if title in titles]
    assert {"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS"} <= {*titles}
    assert re.search(rf"^\.SH NAME\n{name} - [a-z][^\n]*[^.\n]\n", pages[name], re.MULTILINE)


@pytest.mark.parametrize("name", CONTEXTS)
def test_every_option_is_there_with_all_spellings_values_and_its_default(pages, name):
    ctx = CONTEXTS[name]
    shown = section(pages[name], "OPTIONS")
    lines = re.findall(r"^\.BI? (.*)$", shown, re.MULTILINE)
    for parameter in ctx.command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if isinstance(parameter, click.Option) and record is not None:
            (line,) = (line for line in lines if parameter.opts[-1] in re.split(r"[\s,\\]+", line))
            assert all(spelling in line for spelling in parameter.opts)
            term, text = record
            value = term.rpartition(", ")[2].partition(" ")[2]
            assert value.replace(" ", r"\ ") in line
            assert text.split("[default")[0].split()[-1].strip(".,") in shown


@pytest.mark.parametrize("name", CONTEXTS)
def test_every_example_is_there(pages, name):
    shown = section(pages[name], "EXAMPLES").replace(r"\ ", " ")
    lines = CONTEXTS[name].command.epilog.partition("Examples:\n")[2].partition("\n\n")[0].splitlines()
    for line in (line for line in lines if line.startswith("  ")):
        assert line.strip().partition("  ")[0] in shown


def test_exit_codes_are_those_of_the_command(pages):
    shown = {name: section(text, "EXIT STATUS") for name, text in pages.items()}
    codes = {name: re.findall(r"^\.B (\d+)$", text, re.MULTILINE) for name, text in shown.items()}
    assert codes["bdfa"] == codes["bdfa-study-run"] == codes["bdfa-doctor"] == ["0", "1", "2", "130", "141"]
    assert codes["bdfa-train"] == codes["bdfa-study"] == ["0", "2", "130", "141"]
    assert "Some runs have failed." in shown["bdfa-study-run"]
    assert "Interrupted: go on with --resume." in shown["bdfa-train"]


def test_variables_stand_with_the_commands_that_read_them(pages):
    there = {name: re.findall(r"^\.B ([A-Z_]+)$", text, re.MULTILINE) for name, text in pages.items()}
    assert there["bdfa"] == [variable.name for variable in variables.VARIABLES]
    assert there["bdfa-data-list"] == ["BDFA_DATA_DIR", "BDFA_CACHE_DIR"]
    assert there["bdfa-rules"] == []
    assert "BDFA_WORKER_DIR" in there["bdfa-study-run"]
    assert "BDFA_WORKER_DIR" not in there["bdfa-train"]


def test_no_other_variable_of_ours_is_read():
    sources = [path for folder in ("bdfa_np", "cli", "data") for path in (ROOT / folder).rglob("*.py")]
    if not sources:
        pytest.skip("the sources are not beside the tests")
    named = {name for path in sources for name in re.findall(r"\bBDFA_[A-Z]+_DIR\b", path.read_text(encoding="utf-8"))}
    assert named == {variable.name for variable in variables.VARIABLES if variable.name.startswith("BDFA_")}


def test_every_file_of_a_run_is_told_of(pages):
    names = "config.toml metrics.csv ErrorRate.log checkpoint.h5 confusion.csv Log.txt curves.png preprocessing.h5"
    names += " best.h5 history.bin result.toml diagnostics.h5 diagnosis.json network_copy.py rule_copy.py"
    assert {*FILES} == {*names.split()}
    shown = section(pages["bdfa"], "FILES")
    assert [name for name in FILES if f".B {name}\n" not in shown] == []


@pytest.mark.skipif(sys.platform != "linux", reason="the manual names Linux's folders")
def test_a_user_s_folders_are_where_the_manual_says(pages, monkeypatch, tmp_path):
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "BDFA_DATA_DIR", "BDFA_CACHE_DIR", "BDFA_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    shown = section(pages["bdfa"], "FILES").replace(r"\(ti", "~")
    for path, told in {
        default_folder(): f"{variables.DATA_DIR.instead_of}/",
        default_cache_folder(): f"{variables.CACHE_DIR.instead_of}/",
        list_path(): f"{variables.CONFIG_DIR.instead_of}/{LIST}",
    }.items():
        assert path == Path(told).expanduser()
        assert f".B {told}\n" in shown


def test_one_source_makes_one_page():
    ctx = CONTEXTS["bdfa-train"]
    assert page(ctx) == page(ctx)
    assert not re.search(r"\b20\d\d\b", page(ctx))


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_has_nothing_to_say_and_all_fits_80_columns(written):
    command = ["groff", "-k", "-man", "-Tutf8", "-P-cbou", "-ww", "-rLL=78n", "-rHY=0", *map(str, written)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    assert done.stderr == ""
    assert [line for line in done.stdout.splitlines() if len(line) > 80] == []
    assert len(re.findall(r"^NAME$", done.stdout, re.MULTILINE)) == len(written)
    for spelling in ("--feedback-optimizer", "emnist-balanced", "--track-every"):
        assert spelling in done.stdout


def test_a_build_needs_nothing_to_write_them_but_what_it_declares():
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("pyproject.toml is not beside the tests")
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    names = {re.match(r"[\w-]+", one)[0].replace("-", "_") for one in declared}
    code = (
        "import sys; there = set(sys.modules); import bdfa_np.cli.manual as manual\n"
        "list(manual.contexts(manual.bdfa))\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - there} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert {*done.stdout.split()} - {"bdfa_np", "_distutils_hack"} <= names
