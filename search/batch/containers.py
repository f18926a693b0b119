"""Containers on Slurm: a run is started in an image by Apptainer, or by the plug-in pyxis."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from search.batch.job import BatchJob
from search.study.faults import DefinitionError
from spaces.shown import shell_word

LOCKS = """\
locks=${YOLOFRONT_LOCKS:-/tmp/yolofront-locks} # of the devices: all jobs on a node must see the same
mkdir -p -m 1777 "$locks"
export YOLOFRONT_LOCKS="$locks"

"""
"""Commands that must come before `in_container`."""


def in_container(job: BatchJob) -> str:
    """Return the shell command that starts the job's run in its image.

    It passes SIGTERM and SIGUSR2 on to the run, and ends with its exit code. In the image are the present folder, the
    run folder, the folder of the device locks, and what the job binds, all under their own paths.

    Raises:
        DefinitionError: If the image or a path cannot be written in a command.
    """
    image, folders = job.container or "", _folders(job)
    if image.startswith("-") or not image.strip():
        raise DefinitionError(f"--container is {image!r}; it must be the name or path of an image")
    for folder in folders:
        if "," in folder or ":" in folder:
            raise DefinitionError(f"{folder} has a comma or colon, and is to be seen in a container; rename it")
    if job.container_by not in _STARTERS:
        raise DefinitionError(f"--container-by is {job.container_by!r}; it must be {' or '.join(_STARTERS)}")
    start = _STARTERS[job.container_by](job, folders)
    return " ".join((*start, *map(shell_word, job.command)))


def _apptainer(job: BatchJob, folders: Sequence[str]) -> list[str]:
    """Source: apptainer exec(1). Without a terminal it passes signals on."""
    bound = [word for folder in folders for word in ("--bind", shell_word(folder))]
    gpu = ["--nv"] if job.has_gpu else []
    here = shell_word(str(Path.cwd()))
    image = shell_word(job.container or "")
    return ["apptainer", "exec", *gpu, "--pwd", here, *bound, "--bind", '"$locks"', image]


def _pyxis(job: BatchJob, folders: Sequence[str]) -> list[str]:
    """Source: pyxis' own help, and srun(1), which passes signals on and does not take over the cores of `sbatch`."""
    mounts = ",".join(shell_word(f"{folder}:{folder}") for folder in folders)
    image, here = shell_word(job.container or ""), shell_word(str(Path.cwd()))
    return [
        "srun",
        "--ntasks=1",
        f"--cpus-per-task={job.cores}",
        f"--container-image={image}",
        f'--container-mounts={mounts},"$locks:$locks"',
        f"--container-workdir={here}",
    ]


_STARTERS: dict[str, Callable[[BatchJob, Sequence[str]], list[str]]] = {"apptainer": _apptainer, "pyxis": _pyxis}
CONTAINER_PROGRAMS = tuple(_STARTERS)
"""Names of the programs that can start a container."""


def _folders(job: BatchJob) -> list[str]:
    """Return the folders that the run needs to see, each once."""
    asked = [job.runs.absolute(), *map(Path, (job.container_bind or "").split(",") if job.container_bind else ())]
    for folder in asked:
        if not folder.is_absolute():
            raise DefinitionError(f"--container-bind is '{folder}'; it must be absolute paths, with commas in between")
    return list(dict.fromkeys(map(os.path.normpath, (Path.cwd(), *asked))))
