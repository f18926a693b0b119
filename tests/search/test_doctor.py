"""Doctor: what this machine can do, said rightly."""

from __future__ import annotations

import multiprocessing
import os
import pwd
import tempfile
from pathlib import Path

import pytest

from search.cli.checkup import Verdict, check_database, check_run_folder
from search.cli.command import Exit, run_command
from search.doctor import main
from search.store.sql import open_store


def doctor(*arguments: str) -> int:
    return run_command(main, list(arguments))


def test_a_machine_that_can_run_gets_a_clean_bill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor("--project", str(tmp_path / "runs")) == Exit.DONE
    out = capsys.readouterr().out
    for line in ("ok machine: python: 3.", "ok runtimes: onnxruntime, cpu: onnxruntime", "ok studies: nas_head: "):
        assert line in out
    assert out.endswith("everything that a run needs is here\n")


def test_looking_makes_neither_folder_nor_database(tmp_path: Path) -> None:
    doctor("--project", str(tmp_path / "runs"))
    assert list(tmp_path.iterdir()) == []


def test_a_database_in_use_is_shown_with_its_schema_and_studies(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'here.db'}"
    open_store(url).close()
    found = check_database(url)
    assert found.verdict is Verdict.GOOD
    assert found.value.endswith("0 studies stored")


def test_a_server_that_does_not_answer_is_a_fault_and_its_password_stays_hidden(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "postgresql+psycopg://me:sesame@127.0.0.1:1/none"
    assert doctor("--project", str(tmp_path), "--storage", url) == Exit.ERROR
    out, err = capsys.readouterr()
    assert "!! storage: database: " in out
    assert "me:***@127.0.0.1" in out
    assert "sesame" not in out + err
    assert out.endswith("1 fault to fix first\n")


def test_a_file_that_is_no_database_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "torn.db").write_text("this is a letter, not a database " * 100)
    assert check_database(f"sqlite:///{tmp_path / 'torn.db'}").verdict is Verdict.BROKEN


def test_a_slip_in_the_url_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor("--project", str(tmp_path), "--storage", "sqlite://study.db") == Exit.USAGE
    assert capsys.readouterr().err.endswith("write sqlite:///study.db (three slashes)\n")


def test_a_url_of_no_kind_is_a_fault() -> None:
    assert check_database("mysql://me:sesame@host/x").verdict is Verdict.BROKEN
    assert "sesame" not in check_database("mysql://me:sesame@host/x").value


def test_a_real_server_is_reached_and_left_as_it_was(postgres_url: str) -> None:
    assert "the first run creates our tables" in check_database(postgres_url).value
    assert "the first run creates our tables" in check_database(postgres_url).value  # looking has made none
    open_store(postgres_url).close()
    assert check_database(postgres_url).value.endswith("0 studies stored")


def test_a_folder_that_cannot_be_written_is_a_fault() -> None:
    def look(folder: Path) -> None:
        if os.geteuid() == 0:  # root may write everywhere
            os.setuid(pwd.getpwnam("nobody").pw_uid)
        os._exit(0 if check_run_folder(folder / "runs").verdict is Verdict.BROKEN else 1)

    with tempfile.TemporaryDirectory() as name:  # not pytest's own, which nobody but its owner may enter
        folder = Path(name)
        folder.chmod(0o555)
        process = multiprocessing.get_context("fork").Process(target=look, args=(folder,))
        process.start()
        process.join()
        folder.chmod(0o700)
    assert process.exitcode == 0


def test_a_file_in_place_of_the_run_folder_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    assert check_run_folder(tmp_path / "runs").verdict is Verdict.BROKEN


def test_a_study_that_is_asked_for_must_be_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor("--project", str(tmp_path), "--study", "nas_hed") == Exit.ERROR
    assert "did you mean nas_head?" in capsys.readouterr().out


def test_a_wrong_study_that_is_not_asked_for_is_only_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "draft.yaml").write_text("spcae: {}\n")
    monkeypatch.chdir(tmp_path)
    assert doctor("--project", str(tmp_path)) == Exit.DONE
    assert "-- studies: draft: " in capsys.readouterr().out
