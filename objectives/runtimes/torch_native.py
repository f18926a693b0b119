"""Torch itself: eager (operation by operation), or compiled ahead of time by the compiler of torch.compile.

The network is sent to the timing process as a `torch.export` program: tensors and operations, no pickled classes. So
the process imports torch, but not Ultralytics.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import shutil
import sys
import sysconfig
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from objectives.runtimes.base import Array, Loaded, Runtime, timing_images, unknown
from spaces.base import CandidateError
from spaces.durable import require_space, write_bytes

if TYPE_CHECKING:
    import torch

    from objectives.data.calibration import Calibration
    from objectives.device.target import Target
    from spaces.base import Candidate

TORCH_PROVIDERS: Final = ("cpu", "cuda")
TORCH_PRECISIONS: Final = ("fp32", "fp16")
SHAPE: Final = "shape of the input"
"""Name of the input's shape in the metadata of a compiled package."""

COMPILING_BYTES: Final = 64 * 1024**2
"""Free space that compiling a network needs."""

COMPILER: Final = "apt-get install g++ python3-dev (or set CXX)"

Network = Callable[[Any], Any]


class TorchEager(Runtime):
    """Eager torch: the time of `model(images)` for a network that is used without export."""

    name = "torch"
    providers = TORCH_PROVIDERS
    precisions = TORCH_PRECISIONS

    def unavailable(self, provider: str, precision: str = "fp32") -> str | None:
        """Return why this provider and precision cannot run here; None if they can."""
        return _unavailable(provider, precision)

    def version(self) -> str:
        """Return the name and version of the engine; the version includes that of CUDA."""
        return f"{self.name} {_version()}"

    def export(
        self, candidate: Candidate, folder: Path, target: Target, calibration: Calibration | None = None
    ) -> Path:
        """Write `model.pt2`, a `torch.export` program."""
        import torch

        program, packed = _exported_program(candidate, target), BytesIO()
        with _silence():
            torch.export.save(program, packed)  # to a path it raises RuntimeError where the disk is full
        return write_bytes(folder / "model.pt2", packed.getvalue())

    def load(self, model: Path, target: Target) -> Loaded:
        """Return the program as a module; it runs in inference mode."""
        return _load(model, target, _eager)


class TorchCompiled(Runtime):
    """Torch compiled ahead of time (AOTInductor): the code of torch.compile, run without Python.

    The worker compiles, which takes seconds to minutes per network; the timing process needs no compiler.
    """

    name = "torch-compiled"
    providers = TORCH_PROVIDERS
    precisions = TORCH_PRECISIONS

    def unavailable(self, provider: str, precision: str = "fp32") -> str | None:
        """Return why this provider and precision cannot run here; None if they can."""
        if reason := _unavailable(provider, precision):
            return reason
        if shutil.which(os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")) is None:
            return f"torch compiles with a C++ compiler, and there is none; {COMPILER}"
        if not Path(sysconfig.get_path("include"), "Python.h").exists():
            return f"torch compiles with Python's headers, which are not there; {COMPILER}"
        return None

    def version(self) -> str:
        """Return the name and version of the engine."""
        return f"{self.name} {_version()}"

    def export(
        self, candidate: Candidate, folder: Path, target: Target, calibration: Calibration | None = None
    ) -> Path:
        """Write `model.pt2`, a compiled package; the compiler's own files are removed."""
        import torch
        from torch._inductor.utils import fresh_cache

        require_space(folder, COMPILING_BYTES)
        program = _exported_program(candidate, target)
        shape = json.dumps(list(program.example_inputs[0][0].shape))
        options = {
            "cpp.threads": target.threads,  # the compiled code has a fixed number of threads
            "compile_threads": 1,
            "aot_inductor.metadata": {SHAPE: shape},
        }
        try:
            with _silence(), torch.no_grad(), fresh_cache(dir=str(folder)):
                package = str(folder / "model.pt2")
                return Path(
                    torch._inductor.aoti_compile_and_package(program, package_path=package, inductor_configs=options)
                )
        except OSError:
            raise  # the disk's fault, not the candidate's
        except Exception as error:  # any other error of the compiler is the candidate's fault
            raise CandidateError(f"torch does not compile the network: {_first_line(error)}") from error

    def load(self, model: Path, target: Target) -> Loaded:
        """Return the package's compiled code; it runs in inference mode."""
        return _load(model, target, _compiled)


def _unavailable(provider: str, precision: str) -> str | None:
    if provider not in TORCH_PROVIDERS:
        return unknown("provider", provider, TORCH_PROVIDERS)
    if precision not in TORCH_PRECISIONS:
        return unknown("precision", precision, TORCH_PRECISIONS)
    if importlib.util.find_spec("torch") is None:
        return "torch is not installed; pip install torch"
    if provider == "cpu":
        return None if precision == "fp32" else f"torch computes in {precision} on a GPU; use precision: fp32"
    import torch

    return None if torch.cuda.is_available() else "torch sees no CUDA device; see pytorch.org/get-started for its build"


def _version() -> str:
    import torch

    return str(torch.__version__)


def _exported_program(candidate: Candidate, target: Target) -> Any:
    """Return the deployed network as a `torch.export.ExportedProgram`, from float32 images to the decoded output."""
    import torch

    from spaces.networks.deployed import decoded_outputs, deployed, image_side

    network = deployed(candidate)
    side = image_side(network, candidate.imgsz)
    images = torch.from_numpy(timing_images((target.batch, 3, side, side))).to(target.provider)
    half = target.precision == "fp16"

    class Deployed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network.half() if half else network

        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...] | torch.Tensor:
            made = [output.float() for output in decoded_outputs(self.network(images.half() if half else images))]
            return made[0] if len(made) == 1 else tuple(made)

    module = Deployed().to(target.provider).eval()
    try:
        with torch.no_grad(), _silence():
            module(images)  # the head makes its anchors in the first run, which must not be traced
            return torch.export.export(module, (images,), strict=False)
    except OSError:
        raise  # the disk's fault, not the candidate's
    except Exception as error:  # any other error of the tracing is the candidate's fault
        raise CandidateError(f"does not export to torch: {_first_line(error)}") from error


def _load(model: Path, target: Target, how: Callable[[Path], tuple[Network, Sequence[int]]]) -> Loaded:
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # before torch is imported: its threads must not spin between runs
    import torch

    torch.set_num_threads(target.threads)
    torch.set_flush_denormal(True)  # so the time depends on the architecture, not on the weights
    try:
        with _silence():
            network, shape = how(model)
            return _Network(network, torch.from_numpy(timing_images(shape)).to(target.provider))
    except Exception as error:  # RuntimeError, errors of zipfile, and other errors of a damaged file
        raise CandidateError(f"torch does not load the network: {_first_line(error)}") from error


def _eager(model: Path) -> tuple[Network, Sequence[int]]:
    import torch

    program = torch.export.load(model)
    return program.module(check_guards=False), program.example_inputs[0][0].shape


def _compiled(model: Path) -> tuple[Network, Sequence[int]]:
    import torch

    with _temporary_folder(model.parent):
        package = torch._inductor.aoti_load_package(str(model), run_single_threaded=True)
    return package, json.loads(package.get_metadata()[SHAPE])


class _Network(Loaded):
    def __init__(self, network: Network, images: torch.Tensor) -> None:
        self._network = network
        self._images = images

    def __call__(self) -> None:
        import torch

        with torch.inference_mode():
            self._network(self._images)
        if self._images.is_cuda:
            torch.cuda.synchronize()

    def predict(self, images: Array) -> Array:
        import torch

        with torch.inference_mode():
            made = self._network(torch.from_numpy(images).to(self._images.device))
        output: Array = (made[0] if isinstance(made, tuple) else made).cpu().numpy()
        return output


@contextmanager
def _temporary_folder(folder: Path) -> Iterator[None]:
    """Make a folder the temporary one: torch unpacks a package there, and leaves it if the process is killed."""
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before


@contextmanager
def _silence() -> Iterator[None]:
    """Silence torch, which warns about settings that we intend, and logs its search for CUDA."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
