"""Kubernetes: an Indexed Job as a manifest, which is printed and which the user hands in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, final

import yaml

from search.batch.job import BatchJob
from search.batch.queued import OwnJob, QueuedJob, Submission
from search.batch.system import BatchSystem, HeaderValue
from search.cli.command import Exit
from search.study.faults import DefinitionError

WORKING_FOLDER = PurePosixPath("/yolofront")
"""Folder in the container that a relative run folder lies in."""
GRACE_S = 60
"""Seconds between SIGTERM and SIGKILL: a trial is handed back in 10 s."""
JOB, NODE, INDEX = "YOLOFRONT_JOB", "YOLOFRONT_NODE", "JOB_COMPLETION_INDEX"
"""Variables of a pod's environment: name of the job, name of the node, and the pod's index, which Kubernetes sets."""
SECRET, CLAIM = "yolofront-storage", "yolofront-runs"
"""Names of the secret with the database's URL, and of the claim of the volume with the run folder."""
_ABOVE = """\
# If the URL of the database holds a password: kubectl create secret generic {secret} --from-file=url=FILE_WITH_IT
# The claim {claim} is a volume that all nodes may write (ReadWriteMany): it holds the weights.
# yolofront submit --system kubernetes --print ... | kubectl apply -f -
"""
_INSTEAD = "edit the manifest that --print shows"


@final
class Kubernetes(BatchSystem):
    """Manifests of Indexed Jobs. Source: kubernetes.io, "Jobs" and "Pod failure policy"."""

    name = "kubernetes"
    title = "Kubernetes"
    runs_here = False
    header_values: ClassVar[Mapping[str, HeaderValue]] = {
        "mem": HeaderValue(re.compile(r"\d+([KMGT]i?)?"), "a number with K, M, G or T, such as 16G"),
        "gpus": HeaderValue(re.compile(r"\d+"), "a number"),
    }
    refused: ClassVar[Mapping[str, str]] = {
        name: _INSTEAD
        for name in (
            "partition",
            "account",
            "qos",
            "constraint",
            "mail",
            "dependency",
            "gres",
            "container_by",
            "container_bind",
        )
    }

    def _text(self, job: BatchJob) -> str:
        if job.container is None:
            raise DefinitionError("--container is missing: pods run in an image, such as registry.example/yolofront:1")
        if not job.uses_server:
            raise DefinitionError("pods need a database server; give --storage postgresql+psycopg://... for the check")
        manifest = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": _name_of(job), "labels": {"app": "yolofront"}},
            "spec": {
                "completionMode": "Indexed",
                "completions": job.array,
                "parallelism": job.array,
                "backoffLimit": job.max_requeues,
                "podFailurePolicy": {"rules": _rules()},
                "template": {"metadata": {"labels": {"app": "yolofront"}}, "spec": _pod(job)},
            },
        }
        written: str = yaml.safe_dump(manifest, sort_keys=False, width=120)
        return _ABOVE.format(secret=SECRET, claim=CLAIM) + written

    def submit(self, file: Path, tasks: int | None = None, *, test_only: bool = False) -> str:
        """Refuse: manifests are only printed."""
        raise DefinitionError("--system kubernetes only prints: yolofront submit ... --print | kubectl apply -f -")

    def look(self, submissions: Sequence[Submission]) -> tuple[QueuedJob, ...]:
        """Return nothing: the runs in the pods are in our own register."""
        return ()

    def cancel(self, jobs: Sequence[str]) -> None:
        """Refuse to end pods, unless there are none."""
        if jobs:
            raise DefinitionError("pods are ended by: kubectl delete job NAME")

    def log_of(self, submission: Submission, job: str) -> Path:
        """Refuse: Kubernetes keeps the logs."""
        raise DefinitionError("logs of pods are shown by: kubectl logs --selector job-name=NAME")

    def own_job(self, environment: Mapping[str, str]) -> OwnJob | None:
        """Read the variables of the manifest."""
        if JOB not in environment or INDEX not in environment:
            return None
        return OwnJob(
            system=self.name,
            job=f"{environment[JOB]}_{environment[INDEX]}",
            restarts=0,
            node=environment.get(NODE, ""),
        )


def _name_of(job: BatchJob) -> str:
    """Return the job's name as Kubernetes allows it: small letters, digits and dashes, at most 50."""
    return re.sub(r"[^a-z0-9]+", "-", job.name.lower()).strip("-")[:50].strip("-") or "study"


def _rules() -> list[dict[str, Any]]:
    """Return what follows from an exit code: wrong arguments fail the whole job, and 75 does not count as a failure."""

    def on_codes(action: str, *codes: Exit) -> dict[str, Any]:
        numbers = {"containerName": "run", "operator": "In", "values": [int(code) for code in codes]}
        return {"action": action, "onExitCodes": numbers}

    evicted = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    return [evicted, on_codes("Ignore", Exit.COME_BACK), on_codes("FailJob", Exit.USAGE, Exit.MISMATCH)]


def _pod(job: BatchJob) -> dict[str, Any]:
    folder = str(WORKING_FOLDER / job.runs)
    resources: dict[str, Any] = {"cpu": job.cores, "memory": job.memory}
    if job.gpus:
        resources["nvidia.com/gpu"] = int(job.gpus)
    secret = {"name": "SEARCH_STORAGE", "valueFrom": {"secretKeyRef": {"name": SECRET, "key": "url"}}}
    environment = [
        *([secret] if job.has_password else []),
        {"name": JOB, "value": _name_of(job)},
        {"name": NODE, "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
    ]
    container = {
        "name": "run",
        "image": job.container,
        "command": [_word(word) for word in job.command],
        "workingDir": str(WORKING_FOLDER),
        "env": environment,
        "resources": {"requests": resources, "limits": dict(resources)},
        "volumeMounts": [{"name": "runs", "mountPath": folder}],
    }
    return {
        "restartPolicy": "Never",  # podFailurePolicy asks for it: the Job makes a new pod
        "terminationGracePeriodSeconds": GRACE_S,
        "containers": [container],
        "volumes": [{"name": "runs", "persistentVolumeClaim": {"claimName": CLAIM}}],
    }


def _word(word: str) -> str:
    """Return a word of the command line as Kubernetes takes it: it would replace $(NAME)."""
    return word.replace("$(", "$$(")
