"""A command line is read with `--option value` and with `key=value`, and both mean the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from spaces.command_line import CommandLineError, CommandParser, Verbosity, parser_of, print_progress, verbosity


def parser() -> CommandParser:
    made = CommandParser("search.made", fields=lambda: ("scale", "recipe.lr0", "recipe.lrf"))
    made.add_argument("model", nargs="?")
    made.add_argument("--n-trials", type=int)
    made.add_argument("--data")
    made.add_argument("--logs", nargs="?", const="all")
    made.add_argument("--dry-run", action="store_true")
    made.add_argument("-o", "--override", action="append", default=[])
    return made


def read(words: Sequence[str]) -> dict[str, object]:
    return {
        name: value for name, value in vars(parser().parse_args(list(words))).items() if value not in (None, [], False)
    }


@pytest.mark.parametrize(
    ("habit", "options"),
    [
        (["n_trials=3"], ["--n-trials", "3"]),
        (["n-trials=3", "data=a=b.yaml"], ["--n-trials", "3", "--data", "a=b.yaml"]),
        (["model=best.pt"], ["best.pt"]),
        (["dry_run=True"], ["--dry-run"]),
        (["dry_run=false", "data=None"], []),
        (["recipe.lr0=0.1", "scale=2"], ["-o", "recipe.lr0=0.1", "-o", "scale=2"]),
        (["-o", "data=x"], ["-o", "data=x"]),
        (["--override", "data=x", "data=y"], ["-o", "data=x", "--data", "y"]),
        (["--dat", "n_trials=3"], ["--data", "n_trials=3"]),
        (["--logs", "n_trials=3"], ["--logs", "--n-trials", "3"]),
        (["-oa.b=1", "n_trials=3"], ["-o", "a.b=1", "--n-trials", "3"]),
        (["data=-1"], ["--data=-1"]),
    ],
)
def test_a_key_with_its_value_is_an_option(habit: list[str], options: list[str]) -> None:
    assert read(habit) == read(options)


def test_a_file_whose_name_holds_an_equals_sign_stays_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b.onnx").write_text("")
    assert read(["a=b.onnx"]) == {"model": "a=b.onnx"}
    with pytest.raises(CommandLineError, match="c is no option"):
        read(["c=b.onnx"])


def test_quiet_and_verbose_are_no_options_of_the_command_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for word, amount in (("-q", Verbosity.QUIET), ("--verbose", Verbosity.VERBOSE), ("--dry-run", Verbosity.NORMAL)):
        options = parser().parse_args([word])
        assert not {"quiet", "verbose"} & set(vars(options)) and verbosity() is amount
        print_progress(word)
    assert capsys.readouterr().out == "--verbose\n--dry-run\n"


def test_the_parser_of_a_command_is_found_without_its_work() -> None:
    def main(arguments: list[str]) -> int:
        parser().parse_args(arguments)
        raise RuntimeError("it worked")

    assert {"--n-trials", "--logs"} <= set(parser_of(main).format_help().split())
    with pytest.raises(RuntimeError, match="has no CommandParser"):
        parser_of(lambda arguments: 0)
