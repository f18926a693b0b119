"""Every command line in the README and in docs/ is taken by the real parser; studies are put together, none is run."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from objectives.data.digit_scenes import write_digits
from objectives.export.pt_file import export_pt
from search.cli.command import Exit
from spaces.command_line import CommandLineError, called_as, parser_of
from spaces.networks.parent import Parent
from tests.documents.written import CommandLine, command_lines, pages
from tests.tree import named
from yolofront.__main__ import main

LINES = [line for page in pages() for line in command_lines(page)]


def _parse(module: str, words: list[str]) -> None:
    """Parse words as the command does.

    Raises:
        CommandLineError: If one of them is wrong.
    """
    parser_of(importlib.import_module(module).main).parse_args(words)


def _in_full(line: CommandLine) -> list[str]:
    """The arguments; those in a sentence, which names what it is about, with the study that they leave out."""
    is_left_out = line.in_sentence and not any(word.lstrip("-").startswith("study") for word in line.arguments)
    actions = parser_of(importlib.import_module(line.module).main)._actions if is_left_out else []
    needed = any(action.dest == "study" and action.required for action in actions)
    return [*line.arguments, *(["--study", "nas_head"] if needed else [])]


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.page}: {line.text}")
def test_a_command_line_is_taken(line: CommandLine) -> None:
    if not line.module:  # of the list of commands: --help, --version, --print-completion
        assert line.words[1:2] in ([], ["--help"], ["--version"], ["--print-completion"], ["-q"], ["-v"])
        return
    assert importlib.import_module(line.module).main
    with called_as(line.text):
        if not line.is_mention:
            _parse(line.module, _in_full(line))
        if line.passed_on:
            _parse("search.run", ["--study", "nas_head", *line.passed_on])


@pytest.fixture(scope="module")
def files_of_a_user(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `my.yaml` and `best.pt`."""
    written = write_digits(tmp_path_factory.mktemp("user"), scenes={"train": 4, "val": 2, "test": 2})
    folder = written.parent
    written.rename(folder / "my.yaml")
    export_pt(Parent.load("yolov5n.yaml", classes=10, imgsz=64).candidate(), folder / "best.pt", {})
    return folder


OF_MY_DATA = {line.text: line for line in LINES if line.module == "search.run" and "my.yaml" in line.text}


@pytest.mark.slow
@pytest.mark.parametrize("text", OF_MY_DATA)
def test_a_study_of_ones_own_data_is_put_together(
    text: str, files_of_a_user: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(files_of_a_user)
    words = [word for word in OF_MY_DATA[text].arguments if word != "--dry-run"]
    assert main(["run", *words, "--print-config"]) == Exit.DONE
    assert "best.pt" in capsys.readouterr().out


def test_there_are_command_lines_on_the_pages() -> None:
    counted = {named(page): sum(line.page == named(page) for line in LINES) for page in pages()}
    assert counted["README.md"] >= 9 and counted["docs/reports-and-exports.md"] >= 15
    assert len(LINES) >= 50


def test_a_wrong_word_is_seen() -> None:
    with pytest.raises(CommandLineError, match="--formt is no option"):
        _parse("search.export", ["--study", "x", "--knee", "--formt", "onnx"])


def test_commands_are_found_in_blocks_and_sentences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "Say `yolofront report\n--study a` or `yolofront X`.\n```sh\nA=1 && yolofront doctor | head # b\n```\n"
    )
    monkeypatch.setattr("tests.documents.written.ROOT", tmp_path)
    monkeypatch.setattr("tests.tree.ROOT", tmp_path)
    assert [line.words for line in command_lines(page)] == [
        ["yolofront", "doctor"],
        ["yolofront", "report", "--study", "a"],
    ]
