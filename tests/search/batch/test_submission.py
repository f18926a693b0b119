"""`search.submit` hands jobs in: to a program in the place of `sbatch` that notes what it was given."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from search import submit
from search.cli.checkup import Check
from search.cli.command import Exit, run_command
from search.store.outage import network_mount

POSTGRES = "postgresql+psycopg://worker:s3cret@db.example/yolofront"
SBATCH = """
import json, os, pathlib, sys
here = pathlib.Path(__file__).parent
if "refuse" in os.environ:
    sys.exit("sbatch: error: invalid partition specified: gpuu")
script = pathlib.Path(sys.argv[-1])
call = {"words": sys.argv[1:-1], "script": script.read_text(), "environment": dict(os.environ)}
with (here / "calls").open("a") as file:
    file.write(json.dumps(call) + "\\n")
print("17") if "--parsable" in sys.argv else print("sbatch: Job 17 to start at once", file=sys.stderr)
"""


@dataclass
class Cluster:
    """A login node, with the folder of the programs in the place of Slurm's."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def submit(self, *arguments: str, check: bool = False) -> str:
        options = ["--study", "nas_head", "--project", str(self.folder / "runs"), *([] if check else ["--no-check"])]
        code = run_command(submit.main, [*options, *arguments])
        output = self.capsys.readouterr()
        assert code == Exit.DONE, output.err
        return output.out

    def refusal(self, *arguments: str, check: bool = False) -> str:
        options = ["--study", "nas_head", "--project", str(self.folder / "runs"), *([] if check else ["--no-check"])]
        assert run_command(submit.main, [*options, *arguments]) == Exit.USAGE
        (line,) = self.capsys.readouterr().err.splitlines()
        assert not self.calls
        assert not list(self.folder.glob("runs/nas_head/jobs/*.sh")), "nothing is left of a job that was refused"
        return line

    @property
    def calls(self) -> list[dict[str, object]]:
        file = self.folder / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cluster:
    sbatch = tmp_path / "sbatch"
    sbatch.write_text(f"#!{sys.executable}\n{SBATCH}")
    sbatch.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("SEARCH_STORAGE", raising=False)
    return Cluster(tmp_path, capsys)


@pytest.fixture
def _any_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submit, "check_database", lambda _: Check("database", "can be reached"))


def test_a_job_is_checked_and_handed_in_and_its_script_is_kept(cluster: Cluster) -> None:
    said = cluster.submit("--time", "1:00:00", "--", "--n-trials", "9")
    (script,) = cluster.folder.glob("runs/nas_head/jobs/*.sh")
    assert said == f"submitted job 17: {script}\n"
    checked, handed_in = cluster.calls
    assert (checked["words"], handed_in["words"]) == (["--test-only"], ["--parsable"])
    assert checked["script"] == handed_in["script"] == script.read_text()
    assert "#SBATCH --time=1:00:00\n" in script.read_text() and "--n-trials 9 &" in script.read_text()


@pytest.mark.usefixtures("_any_database")
def test_a_password_is_in_one_file_of_its_owner_and_nowhere_else(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEARCH_STORAGE", POSTGRES)
    said = cluster.submit("--array", "4")
    assert "s3cret" not in said + json.dumps(cluster.calls), "neither in script and arguments nor in the environment"
    holding = [path for path in cluster.folder.rglob("*") if path.is_file() and "s3cret" in path.read_text()]
    assert holding == [cluster.folder / "runs/nas_head/jobs/storage"]
    assert stat.S_IMODE(holding[0].stat().st_mode) == 0o600
    script = str(cluster.calls[-1]["script"])
    reading = script[script.index("SEARCH_STORAGE=") : script.index("# Slurm signals")]
    told = subprocess.run(
        ["bash", "-c", f'{reading}\necho "$SEARCH_STORAGE"'], capture_output=True, text=True, check=True
    )
    assert told.stdout == POSTGRES + "\n"


@pytest.mark.usefixtures("_any_database")
def test_a_url_of_the_environment_stands_in_the_script_because_a_node_may_have_another_one(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEARCH_STORAGE", "postgresql://db.example/yolofront")
    cluster.submit("--array", "4")
    assert " --storage postgresql://db.example/yolofront " in str(cluster.calls[-1]["script"])


def test_a_node_that_does_not_see_the_run_folder_runs_nothing(cluster: Cluster) -> None:
    cluster.submit("--python", "true")
    script = str(cluster.calls[-1]["script"])
    assert subprocess.run(["bash", "-c", script], check=False).returncode == 0
    (cluster.folder / "runs").rename(cluster.folder / "elsewhere")
    node = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert node.returncode == Exit.USAGE
    assert f"the run folder {cluster.folder}/runs/nas_head/jobs is not there on " in node.stderr


@pytest.mark.usefixtures("_any_database")
def test_more_jobs_like_the_last_ones_are_added(cluster: Cluster) -> None:
    cluster.submit("--array", "4", "--storage", "postgresql://db.example/yolofront")
    assert cluster.submit("--add", "1").startswith("added 1 job, 17: ")
    first, again = cluster.calls[1:]
    assert again["words"] == ["--parsable", "--array=1-1", "--output=%x-%A_%a.out"]
    assert again["script"] == first["script"]


def test_no_jobs_are_added_to_one_on_sqlite_or_to_none(cluster: Cluster) -> None:
    assert "nothing was submitted" in cluster.refusal("--add", "2")
    cluster.submit()
    options = ["--study", "nas_head", "--project", str(cluster.folder / "runs")]
    assert run_command(submit.main, [*options, "--add", "2"]) == Exit.USAGE
    assert "SQLite file, which one job uses at a time" in cluster.capsys.readouterr().err


def test_what_slurm_refuses_is_said_in_its_words(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("refuse", "1")
    assert "Slurm refuses the job: sbatch: error: invalid partition specified: gpuu" in cluster.refusal()


def test_without_slurm_it_says_where_to_submit(cluster: Cluster) -> None:
    (cluster.folder / "sbatch").unlink()
    if not Path("/usr/bin/sbatch").exists():
        assert "sbatch is not here" in cluster.refusal()


def test_a_database_that_cannot_be_used_is_refused_before(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "database: " in cluster.refusal("--storage", "postgresql://127.0.0.1:1/x")
    table = cluster.folder / "mountinfo"
    table.write_text(f"30 21 0:30 / {cluster.folder} rw - nfs4 server:/home rw\n")
    monkeypatch.setattr(network_mount, "MOUNTS", table)
    assert "network file system (nfs4" in cluster.refusal()


def test_arguments_that_the_run_would_refuse_are_refused_before(cluster: Cluster) -> None:
    program = cluster.folder / "python"
    program.write_text("#!/bin/sh\ncase $* in *--print-config) echo 'error: --epochs is 0; ...' >&2; exit 2;; esac\n")
    program.chmod(0o755)
    refused = cluster.refusal("--python", str(program), "--", "--epochs", "0", check=True)
    assert refused == "error: the jobs would fail: --epochs is 0; ..."


def test_a_package_of_the_user_that_is_called_search_is_not_taken_for_ours(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cluster.folder / "search").mkdir()
    (cluster.folder / "search/__init__.py").write_text("raise SystemExit('the wrong one')\n")
    monkeypatch.chdir(cluster.folder)
    assert "the jobs would fail: " in (said := cluster.refusal("--", "--epochs", "0", check=True)) and "epochs" in said


def test_a_site_has_defaults_and_the_command_line_goes_before_them(cluster: Cluster) -> None:
    file = cluster.folder / "config/yolofront/cluster.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("partition: gpu\naccount: lab-7\nqos: low\ntime: 12:00:00\nworkers: 2\n")
    headers = cluster.submit("--print", "--qos", "high", "--constraint", "a100|h100", "--mail", "a@b.example")
    for wanted in (
        "partition=gpu", "account=lab-7", "qos=high", "time=12:00:00", "cpus-per-task=2", "mem=8G",
        "constraint=a100|h100", "mail-user=a@b.example", "mail-type=END,FAIL,TIME_LIMIT_80",
    ):  # fmt: skip
        assert f"#SBATCH --{wanted}\n" in headers


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("partion: gpu", "there is no 'partion'; did you mean partition?"),
        ("partition: [a, b]", "partition is ['a', 'b']; write one value"),
        ("- partition", "must hold lines such as"),
        ("partition: {", "cluster.yaml: "),
        ("storage: postgresql://u:p@h/d", "there is no 'storage'"),
        ("partition: 'gpu --uid=0'", "--partition is 'gpu --uid=0'; it must be"),
    ],
)
def test_a_wrong_file_of_defaults_is_one_line(cluster: Cluster, text: str, message: str) -> None:
    file = cluster.folder / "config/yolofront/cluster.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert message in cluster.refusal("--print")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--account", "a b"), ("--qos", "x\n#SBATCH --uid=0"), ("--constraint", "$(id)"), ("--mem", "lots"),
        ("--mail", "a@b -x"), ("--dependency", "afterok:1 --uid=0"),
    ],
)  # fmt: skip
def test_a_header_takes_no_foreign_text(cluster: Cluster, arguments: tuple[str, str]) -> None:
    assert arguments[0] in cluster.refusal(*arguments)
