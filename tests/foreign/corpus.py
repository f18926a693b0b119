"""Hostile and damaged files, made here: each is a name, a command, and what writes the file that it is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.foreign.checkpoints import CHECKPOINTS
from tests.foreign.databases import DATABASES, OVERRIDES, URLS
from tests.foreign.models import ARCHITECTURES, MODELS, SET_BY_NAME
from tests.foreign.onnx_files import EXTERNAL, ONNX_FILES
from tests.foreign.packs import PLANS, RESULTS, pack_writer, plan, results
from tests.foreign.texts import DAMAGED_JSON, DAMAGED_YAML, DATA_SETS, GARBAGE, STUDIES, STUDIES_OF_NO_DATA, bytes_of
from tests.foreign.weights import TENSOR_FILES, pt_files


@dataclass(frozen=True)
class Case:
    """A file and the command that must refuse it.

    Attributes:
        name: The fault, and the kind of file.
        command: Words of the command; `{}` stands for the path.
        path: Name of the file, or of the folder.
        write: Writes it.
    """

    name: str
    command: tuple[str, ...]
    path: str
    write: Callable[[Path], object]


BENCH = ("search.bench", "{}")

BENCH_SIZED = ("search.bench", "{}", "--imgsz", "64")

SHOW = ("spaces.show", "{}")

STUDY = ("search.run", "--study", "{}", "--print-config")

RUN = ("search.run", "--study", "{}", "--n-trials", "0")
DATA = ("search.run", "--study", "channel_ratio", "--data", "{}", "--n-trials", "1")

UNPACK = ("search.bench", "--unpack", "{}", "--name", "jetson")


REPORT = ("search.report", "--study", "x", "--storage", "sqlite:///{}")


def _without_file(kind: str, command: tuple[str, ...], texts: Sequence[str]) -> Iterator[Case]:
    for number, text in enumerate(texts):
        words = (*command, text.replace("{", "{{").replace("}", "}}"))
        yield Case(f"{kind} {number}: {text[:40]}", words, "absent", lambda path: None)


def _file(kind: str, command: tuple[str, ...], suffix: str, contents: dict[str, Any]) -> Iterator[Case]:
    for name, content in contents.items():
        data = bytes_of(content)
        yield Case(f"{kind}: {name}", command, f"file{suffix}", partial(Path.write_bytes, data=data))


def cases() -> list[Case]:
    """Return all cases."""
    good_plan, good_results = plan().as_text().encode(), bytes_of(results())
    yaml_models = {name: json.dumps(model) for name, model in MODELS.items() if name not in SET_BY_NAME}  # JSON is YAML
    return [
        *_file("architecture", BENCH, ".json", {**GARBAGE, **DAMAGED_JSON, **ARCHITECTURES}),
        *_file("model in an architecture", BENCH, ".json", {n: {"model": m, "classes": 1} for n, m in MODELS.items()}),
        *_file("model", SHOW, ".yaml", {**GARBAGE, **DAMAGED_YAML, **yaml_models}),
        *_file("study", STUDY, ".yaml", {**GARBAGE, **DAMAGED_YAML, **STUDIES}),
        *_file("study", RUN, ".yaml", STUDIES_OF_NO_DATA),
        *_file("data", DATA, ".yaml", {**GARBAGE, **DAMAGED_YAML, **DATA_SETS}),
        *_file("safetensors", BENCH, ".safetensors", {**GARBAGE, **TENSOR_FILES}),
        *_file("pt", SHOW, ".pt", {**GARBAGE, **{n: file for n, file in pt_files().items() if n != "small"}}),
        *_file("onnx", BENCH_SIZED, ".onnx", {**GARBAGE, **{n: file for n, file in ONNX_FILES.items() if n != "good"}}),
        *(Case(f"onnx: {name}", BENCH_SIZED, "file.onnx", write) for name, write in EXTERNAL.items()),
        *(Case(f"checkpoint: {name}", SHOW, "folder", write) for name, write in CHECKPOINTS.items()),
        *(Case(f"database: {name}", REPORT, "file.db", write) for name, write in DATABASES.items()),
        *_without_file("url", ("search.report", "--study", "x", "--storage"), URLS),
        *_without_file("override", ("search.run", "--study", "channel_ratio", "--print-config", "-o"), OVERRIDES),
        *(Case(f"plan: {n}", UNPACK, "pack", pack_writer(bytes_of(text), good_results)) for n, text in PLANS.items()),
        *(Case(f"results: {n}", UNPACK, "pack", pack_writer(good_plan, bytes_of(text))) for n, text in RESULTS.items()),
    ]
