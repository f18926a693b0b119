"""The manifest for Kubernetes: what it asks for, and what follows from each way in which a pod may end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from search import submit
from search.batch.job import BatchJob
from search.batch.kubernetes import INDEX, JOB, NODE, Kubernetes
from search.batch.queued import OwnJob, Submission
from search.cli.command import Exit, run_command
from search.study.faults import DefinitionError
from tests.search.batch.batch_system_contract import AWKWARD, POSTGRES, BatchSystemContract

IMAGE = "registry.example/yolofront:1"
ASKED = BatchJob("nas_head", storage=POSTGRES, array=4, gpus="1", workers=2, threads=3, container=IMAGE)


class TestKubernetes(BatchSystemContract):
    container = IMAGE

    @pytest.fixture
    def system(self) -> Kubernetes:
        return Kubernetes()


def spec_of(job: BatchJob) -> dict[str, Any]:
    manifest = yaml.safe_load(Kubernetes().render(job))
    assert (manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"]) == ("batch/v1", "Job", "nas-head")
    spec: dict[str, Any] = manifest["spec"]
    return spec


def container_of(job: BatchJob) -> dict[str, Any]:
    (container,) = spec_of(job)["template"]["spec"]["containers"]
    found: dict[str, Any] = container
    return found


def test_a_pod_is_asked_for_each_job_with_what_its_workers_need() -> None:
    spec, container = spec_of(ASKED), container_of(ASKED)
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 4, 4)
    assert container["resources"]["limits"] == {"cpu": 6, "memory": "8G", "nvidia.com/gpu": 1}
    assert container["image"] == IMAGE
    assert container["volumeMounts"] == [{"name": "runs", "mountPath": "/yolofront/runs"}]
    assert container_of(replace(ASKED, runs=Path("/data/runs")))["volumeMounts"][0]["mountPath"] == "/data/runs"


def test_only_what_does_not_pass_fails_the_job() -> None:
    spec = spec_of(ASKED)
    assert spec["template"]["spec"]["restartPolicy"] == "Never", "podFailurePolicy is refused with another one"
    evicted, come_back, final = spec["podFailurePolicy"]["rules"]
    assert (evicted["action"], evicted["onPodConditions"][0]["type"]) == ("Ignore", "DisruptionTarget")
    assert (come_back["action"], come_back["onExitCodes"]["values"]) == ("Ignore", [Exit.COME_BACK])
    assert (final["action"], final["onExitCodes"]["values"]) == ("FailJob", [Exit.USAGE, Exit.MISMATCH])


def test_a_password_comes_from_a_secret_and_another_url_stands_in_the_command() -> None:
    (secret, *_) = container_of(ASKED)["env"]
    assert secret == {
        "name": "SEARCH_STORAGE",
        "valueFrom": {"secretKeyRef": {"name": "yolofront-storage", "key": "url"}},
    }
    plain = container_of(replace(ASKED, storage="postgresql://db.example/x"))
    assert "SEARCH_STORAGE" not in [each["name"] for each in plain["env"]]
    assert plain["command"][plain["command"].index("--storage") + 1] == "postgresql://db.example/x"


def test_arguments_reach_the_run_unchanged() -> None:
    job = replace(ASKED, arguments=(*AWKWARD, "$(HOME)"))
    words = container_of(job)["command"]
    assert words[: len(job.command) - 1] == list(job.command[:-1])
    assert words[-1] == "$$(HOME)", "Kubernetes makes $(HOME) of it, and would put in the value of HOME else"


def test_a_process_in_a_pod_knows_its_job() -> None:
    found = Kubernetes().own_job({JOB: "nas-head", INDEX: "2", NODE: "node07"})
    assert found == OwnJob(system="kubernetes", job="nas-head_2", restarts=0, node="node07")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"container": None}, "--container is missing"),
        ({"partition": "gpu"}, "--partition is not for Kubernetes: edit the manifest"),
        ({"gpus": "a100:1"}, "--gpus is 'a100:1'; it must be a number"),
        ({"storage": None, "array": 1}, "pods need a database server"),
    ],
)
def test_what_a_manifest_cannot_say_is_refused(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], message: str
) -> None:
    monkeypatch.delenv("SEARCH_STORAGE", raising=False)
    with pytest.raises(DefinitionError, match=message):
        Kubernetes().render(replace(ASKED, **changes))


def test_it_is_printed_and_never_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    options = ["--study", "nas_head", "--system", "kubernetes", "--container", IMAGE, "--storage", POSTGRES]
    assert run_command(submit.main, [*options, "--print", "--array", "2"]) == Exit.DONE
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["spec"]["template"]["spec"]["containers"][0]["command"][:5] == [
        "python",
        "-P",
        "-m",
        "yolofront",
        "run",
    ]
    submitted = Submission(system="kubernetes", number="1", tasks=1, name="nas_head", folder="/")
    assert Kubernetes().look([submitted]) == ()
    for refuse in (
        lambda: Kubernetes().submit(tmp_path),
        lambda: Kubernetes().cancel(["nas-head_0"]),
        lambda: Kubernetes().log_of(submitted, "nas-head_0"),
    ):
        with pytest.raises(DefinitionError):
            refuse()
