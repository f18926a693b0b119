"""A real Slurm with one node on loopback, in a temporary folder: no root, no systemd, nothing in /etc."""

from __future__ import annotations

import getpass
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.disturbing.databases import free_port

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "scancel", "squeue", "sinfo")
INSTALL = "no Slurm here: apt-get install slurm-wlm munge"
PATHS = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
WITHIN_S = 60.0
"""Longer than anything here takes on a slow machine."""
KEY_BYTES = 128

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/urandom")
"""Files in the place of GPUs: a job gets CUDA_VISIBLE_DEVICES, and nothing else."""

# Cores are pretended, so that jobs of several tests fit. A preempted job gets SIGTERM at once.
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
SchedulerParameters=sched_min_interval=0,bf_interval=1
KillWait=10
MinJobAge=3600
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 Port={node_port} CPUs=8 RealMemory=64000 Gres=gpu:{gpus}
PartitionName=DEFAULT Nodes=ALL MaxTime=1-0 DefaultTime=60 State=UP
PartitionName=low Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=0
PartitionName=high PriorityTier=10 PreemptMode=OFF
"""


def is_installed() -> bool:
    """Return whether all programs of Slurm are installed."""
    return all(shutil.which(name, path=PATHS) for name in PROGRAMS)


@dataclass(frozen=True)
class Slurm:
    """A running cluster.

    Attributes:
        environment: Environment in which Slurm's programs talk to it.
    """

    environment: dict[str, str]

    def call(self, *words: str) -> str:
        """Return what one of its programs prints."""
        done = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, timeout=WITHIN_S, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr}")
        return done.stdout

    def restart_controller(self) -> None:
        """End the controller and start it again; jobs run on meanwhile."""
        _end_daemon(Path(self.environment["SLURM_CONF"]).with_name("slurmctld.pid"))
        subprocess.run(["slurmctld"], env=self.environment, capture_output=True, timeout=WITHIN_S, check=True)

    def shown(self, job: str) -> dict[str, str]:
        """Return the fields of `scontrol show job`."""
        return dict(re.findall(r"(\w+)=(\S*)", self.call("scontrol", "show", "job", job)))

    def wait_for(self, job: str, *states: str, within_s: float = WITHIN_S) -> dict[str, str]:
        """Wait until the job is in one of the states. Return its fields."""
        deadline = time.monotonic() + within_s
        while (fields := self.shown(job))["JobState"] not in states:
            if time.monotonic() > deadline:
                raise TimeoutError(f"job {job} is {fields['JobState']} and not {' or '.join(states)}")
            time.sleep(0.2)
        return fields


@contextmanager
def one_node() -> Iterator[Slurm]:
    """Start a cluster and wait until its node is idle; end it and its jobs afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))  # names of sockets must be short
    environment = {**os.environ, "PATH": PATHS, "SLURM_CONF": str(folder / "slurm.conf")}
    slurm = Slurm(environment)
    try:
        _start(folder, environment)
        _wait_until_idle(slurm, folder)
        yield slurm
    finally:
        with suppress(RuntimeError, subprocess.TimeoutExpired):
            _end_jobs(slurm)
        for name in ("slurmd", "slurmctld", "munged"):
            _end_daemon(folder / f"{name}.pid")
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path, environment: dict[str, str]) -> None:
    for name in ("state", "spool"):
        (folder / name).mkdir()
    folder.chmod(0o755)
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(KEY_BYTES))
    key.chmod(0o400)
    values = {"host": socket.gethostname().partition(".")[0], "user": getpass.getuser(), "folder": folder}
    ports = {"controller_port": free_port(), "node_port": free_port()}
    (folder / "slurm.conf").write_text(CONFIGURATION.format(**values, **ports, gpus=len(DEVICES)))
    (folder / "gres.conf").write_text("".join(f"Name=gpu File={file}\n" for file in DEVICES))
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\nConstrainCores=no\n")
    munge = {"key-file": key, "socket": folder / "munge.socket", "pid-file": folder / "munged.pid"}
    logs = {"log-file": folder / "munged.log", "seed-file": folder / "munge.seed"}
    for command in (
        ["munged", "--force", *(f"--{name}={value}" for name, value in (munge | logs).items())],
        ["slurmctld"],
        ["slurmd"],
    ):
        with (folder / "start.log").open("a") as log:
            subprocess.run(command, env=environment, stdout=log, stderr=log, timeout=WITHIN_S, check=True)


def _wait_until_idle(slurm: Slurm, folder: Path) -> None:
    deadline = time.monotonic() + WITHIN_S
    while True:
        with suppress(RuntimeError):
            if set(slurm.call("sinfo", "-h", "-o", "%t").split()) == {"idle"}:
                return
        if time.monotonic() > deadline:
            logs = [path.read_text(errors="replace")[-2000:] for path in folder.glob("*.log")]
            raise TimeoutError("the node is not idle: " + "\n".join(logs))
        time.sleep(0.2)


def _end_jobs(slurm: Slurm) -> None:
    slurm.call("scancel", "--hurry", "--user", getpass.getuser())
    deadline = time.monotonic() + WITHIN_S
    while slurm.call("squeue", "-h").strip() and time.monotonic() < deadline:
        time.sleep(0.2)


def _end_daemon(file: Path) -> None:
    if not file.exists():
        return
    pid = int(file.read_text())
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
