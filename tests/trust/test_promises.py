"""What ``SECURITY.md`` promises is there, and every command that comes by a file has ``--trust``."""

from pathlib import Path

import click
import pytest

from bdfa_np.cli.group import bdfa as group

ROOT = Path(__file__).parents[2]


def commands(found=group, before=""):
    """Yield every command and its name, with its group's in front."""
    context = click.Context(found)
    for name in found.list_commands(context):
        command = found.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} ")
        else:
            yield f"{before}{name}", command


def test_every_command_that_opens_a_run_or_reads_options_has_trust_and_no_other():
    found = {name: {parameter.name for parameter in command.params} for name, command in commands()}
    opening = {name for name, parameters in found.items() if parameters & {"run", "config_file"}}
    assert opening == {"train", "evaluate", "predict", "export", "diagnose", "watch"}
    opening -= {"watch"}  # it reads a run's figures, and builds no net
    opening |= {"plot", "report"}  # of runs or studies
    opening |= {"study show", "study run", "study table"}  # a study's file is another that may name a net or a rule
    assert {name for name, parameters in found.items() if "trust" in parameters} == opening


def test_the_promises_are_part_of_the_distribution_and_name_what_there_is():
    file = ROOT / "SECURITY.md"
    if not file.is_file():
        pytest.skip("the sources are not beside the tests")
    text = file.read_text(encoding="utf-8")
    assert file.name in (ROOT / "MANIFEST.in").read_text(encoding="utf-8").split()
    for name in ("--trust", "trust=True", "trusted.toml", "BDFA_CONFIG_DIR", "network_copy.py", "rule_copy.py"):
        assert f"`{name}`" in text


def test_the_machine_is_described_with_the_place_of_the_list(bdfa, monkeypatch, tmp_path):
    monkeypatch.setenv("BDFA_CONFIG_DIR", str(tmp_path / "settings"))
    assert f"{tmp_path}/settings/trusted.toml (BDFA_CONFIG_DIR)" in bdfa("info").out
