"""The command `yolofront`: its list, its commands by each name, what it imports, and where it is called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from spaces.command_line import CommandLineError
from tests.tree import ROOT
from yolofront.__main__ import main
from yolofront.commands import BY_NAME, COMMANDS
from yolofront.completion import completion

SCRIPT = "import sys\nfrom yolofront.__main__ import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
"""Script that an installer writes into the environment's folder of programs."""
LIST_ALONE = """
import sys
from yolofront.__main__ import main
main(["--help"])
main(["--version"])
print(*sys.modules, file=sys.stderr)
"""


def test_the_list_names_every_command_and_its_other_name(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--help"], ["-h"], ["help"]):
        assert main(words) == 0
        shown = capsys.readouterr().out
        assert all(f"\n  {command.name} " in shown for command in COMMANDS)
        assert "(also: remeasure)" in shown and "(also: finetune)" in shown


def test_the_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert capsys.readouterr().out == f"yolofront {project['version']}\n"
    assert project["scripts"] == {"yolofront": "yolofront.__main__:main"}


def test_the_list_and_the_version_import_no_command() -> None:
    called = [sys.executable, "-c", LIST_ALONE]
    done = subprocess.run(called, capture_output=True, text=True, cwd=ROOT, check=True)
    modules = set(done.stderr.split())
    assert "yolofront.commands" in modules
    assert modules.isdisjoint({*(command.module for command in COMMANDS), "pydantic", "torch", "rich", "psutil"})


@pytest.mark.parametrize("name", BY_NAME)
def test_a_command_has_the_name_by_which_it_is_called(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([name, "--help"], ["help", name]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: yolofront {name} [-h] [-q] [-v]")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("rum", "'rum' is no command of `yolofront`; did you mean run?"),
        ("--vers", "--vers is no option of `yolofront`; did you mean --version?"),
        ("study=nas_head epochs=3", "the command is missing; write: yolofront run study=nas_head ..."),
        ("--print-completion fish", "--print-completion is 'fish'; there are bash, zsh, tcsh"),
        ("run", "--study is missing; write --study NAME"),
        ("show", "MODEL is missing; see `yolofront show --help`"),
        ("run --study nas_head --epochs ten", "--epochs is 'ten'; it must be a whole number"),
        (
            "run --study nas_head --batch auto -o recipe.batch=8",
            "--batch is auto, but recipe.batch is set too; leave one of them out",
        ),
        ("run --study nas_head --batch many", "--batch is 'many'; it must be N"),
        ("run study=nas_head classes=red", "--classes is 'red'; it must be [0,2]"),
        (
            "run study=nas_head freeze=10",
            "freeze has no meaning for `yolofront run`: all layers of a cut network are trained, since each reads "
            "channels of a layer that was cut",
        ),
        (
            "run --study nas_head --exist-ok",
            "--exist-ok has no meaning for `yolofront run`: the same command continues a study; --new begins it again",
        ),
        (
            "export study=x trial=1 half=True",
            "half has no meaning for `yolofront export`: the study's target names the precision of the file",
        ),
        ("run study=nas_head lr0=0.1 lrf=2", "recipe.lrf is 2; it must be in [0.0, 1.0]"),
        (
            "run --study nas_head --epoch-count 3",
            "--epoch-count is no option of `yolofront run`; did you mean --epochs?",
        ),
        ("run study=nas_head epoch=3", "epoch is no option of `yolofront run`; did you mean epochs?"),
        ("run study=nas_head lr=0.1", "lr is no option of `yolofront run`; did you mean recipe.lr0?"),
        ("run study=nas_head dry_run=perhaps", "dry_run is 'perhaps'; it must be true or false"),
        ("run study=nas_head log_format=xml", "--log-format is 'xml'; there are text, json"),
        ("run study=nas_head n_trials=-3", "n_trials is -3; it must be at least 0"),
        ("run --study", "--study has no value; write --study NAME"),
        ("run nas_head --study nas_head", "'nas_head' is too much for `yolofront run`; see `yolofront run --help`"),
        ("run -q -v --study nas_head", "--quiet and --verbose exclude each other"),
        ("export --study x", "give one of --trial, --name, --best-under, --knee"),
        ("export study=x trial=1 knee=true", "--knee and --trial exclude each other"),
        ("targets colour=red", "colour is no option of `yolofront targets`; see `yolofront targets --help`"),
        ("bench --json model.onnx", "--json took 'model.onnx' as the file to write; write MODEL before --json"),
    ],
)
def test_a_mistake_is_one_exact_line(words: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"error: {line}\n")


def test_the_script_works_in_a_folder_whose_files_have_the_names_of_our_packages(tmp_path: Path) -> None:
    work, programs = tmp_path / "work", tmp_path / "bin"
    work.mkdir()
    programs.mkdir()
    for name in ("search", "spaces", "objectives", "yolofront", "studies"):
        (work / f"{name}.py").write_text("raise SystemExit('the file of the user was imported')\n")
    (programs / "yolofront").write_text(SCRIPT)
    called = [sys.executable, str(programs / "yolofront"), "targets", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(called, capture_output=True, text=True, cwd=work, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {"group": "onnxruntime", "name": "ort-cpu"}.items() <= next(
        e for e in found if e["name"] == "ort-cpu"
    ).items()
    assert {each["verdict"] for each in found} <= {"good", "warning"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_a_shell_completes_commands_options_and_files(shell: str) -> None:
    script = completion(shell)
    assert all(name in script for name in BY_NAME)
    assert all(option in script for option in ("n-trials", "best-under", "log-format"))


def test_the_completion_of_bash_is_a_script_that_bash_reads(tmp_path: Path) -> None:
    file = tmp_path / "completion.bash"
    file.write_text(completion("bash"))
    assert subprocess.run(["bash", "-n", str(file)], check=False).returncode == 0
    asked = f"source {file}; COMP_WORDS=(yolofront exp); COMP_CWORD=1; _shtab_yolofront; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["export"]


def test_a_mistake_stays_a_mistake_by_the_old_name() -> None:
    from search import targets

    with pytest.raises(CommandLineError, match=r"is no option of `python -m search\.targets`"):
        targets.main(["--colour"])


@pytest.mark.parametrize(
    ("words", "instead"), [("train data=my.yaml", "run"), ("val", "report"), ("benchmark", "bench")]
)
def test_commands_of_ultralytics_are_answered_with_what_takes_their_place(
    words: str, instead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"is no command of `yolofront`; `yolofront {instead}` " in line
