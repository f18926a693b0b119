"""Short forms in a study's YAML and options of the command line (`-o key=value`), written out in plain values."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from objectives.device.target import TargetError
from objectives.quantities import LATENCY_MS
from objectives.runtimes.names import target_named, target_names
from search.study.faults import DefinitionError, FieldFault, unknown_key
from search.study.reading import parse_yaml
from spaces.task_names import NETWORK_TASKS

TASKS = "tasks"
"""Section of a study's YAML with values for other tasks than the one that the study is made for."""
_STOCK = re.compile(r"yolo(?:v?\d+)[nslmxtcbe]?\d?u?")
"""Names of Ultralytics' models without their ending."""


def apply_overrides(plain: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return a copy of a definition's plain values with the overrides applied in their order.

    Each override is `key=value`: the key is dotted (`recipe.epochs`, `donors.0.ratio`, `donors.one-shot.ratio`),
    the value is YAML (`5`, `1e-4`, `null`, `{low: 1e-4, high: 1e-2, log: true}`). Whether a field exists is
    checked later, with the whole definition.

    Raises:
        DefinitionError: If an override is not `key=value`, or its key leads to nothing.
    """
    changed = copy.deepcopy(dict(plain))
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise DefinitionError(f"-o {override!r} is not key=value; write it like -o recipe.epochs=5")
        _assign(changed, key.strip(), parse_yaml(text, f"-o {key.strip()}:"))
    return changed


def model_option(model: str | Path | None) -> dict[str, str | None]:
    """Return the fields that `--model` sets: it is a structure or weights, as in Ultralytics."""
    if model is None:
        return {}
    if str(model).endswith((".yaml", ".yml")):
        return {"parent.model": str(model), "parent.weights": None}
    if not str(model).endswith((".pt", ".safetensors")) and not Path(model).is_dir():
        raise DefinitionError(f"--model is '{model}'; {_ending_of(str(model))}")
    return {"parent.weights": str(model)}


def _ending_of(model: str) -> str:
    """Return what to write for a model that was named without an ending, as `yolov8n`."""
    there = [f"{model}{ending}" for ending in (".pt", ".safetensors", ".yaml") if Path(f"{model}{ending}").is_file()]
    if there:
        return f"did you mean {there[0]}?"
    if _STOCK.fullmatch(model):
        return f"write {model}.yaml to begin with random weights, or give the path of a .pt or .safetensors file"
    return "give a .yaml, .pt or .safetensors file, or a checkpoint folder"


def for_task(plain: Mapping[str, Any], task: str) -> dict[str, Any]:
    """Return a definition's plain values, over them what its section `tasks` sets for a task, without that section.

    Raises:
        DefinitionError: If the section is of another form, or names a task that there is not.
    """
    rest, sections = {name: value for name, value in plain.items() if name != TASKS}, plain.get(TASKS) or {}
    if not isinstance(sections, Mapping) or not all(isinstance(each, Mapping) for each in sections.values()):
        raise DefinitionError(f"tasks is {sections!r}; write fields by task: tasks: {{classify: {{seed: 1}}}}")
    for name in sections:
        if name not in NETWORK_TASKS.values():
            raise DefinitionError(f"tasks.{name} {unknown_key(str(name), NETWORK_TASKS.values())}")
    return _merged(rest, sections.get(task, {}))


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both mappings in one; mappings in them are put together alike."""
    both = {**below, **above}
    for name in below.keys() & above.keys():
        if isinstance(below[name], Mapping) and isinstance(above[name], Mapping):
            both[name] = _merged(below[name], above[name])
    return both


def applied(plain: Mapping[str, Any], options: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return a definition's plain values with the command line's own options and then its overrides over them."""
    changed = with_options(plain, options)
    for override in overrides:  # each may set a field of what the one before wrote in its short form
        changed = in_full(apply_overrides(changed, [override]))
    return changed


def with_options(plain: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition's plain values with the command line's own options, such as `data.imgsz`, over them."""
    changed = dict(plain)
    for key, value in options.items():
        section, dot, field = key.partition(".")
        if not dot:
            changed[section] = value
        elif isinstance(changed.get(section) or {}, dict):
            changed[section] = {**(changed.get(section) or {}), field: value}
    return changed


def _assign(changed: dict[str, Any], key: str, value: Any) -> None:
    """Set one field, making sections that are not there yet."""
    parts = key.split(".")
    if not all(parts):
        raise DefinitionError(f"-o {key}: the key has an empty part; write it like recipe.epochs")
    here: Any = changed
    while True:
        step, used = _next_step(here, parts, key)
        parts = parts[used:]
        if not parts:
            here[step] = value
            return
        inner = here[step] if isinstance(here, list) else here.setdefault(step, {})
        if inner is None:  # `weights: null` and the like: a section that is not there yet
            inner = here[step] = {}
        if not isinstance(inner, dict | list):
            whole = key[: -len(".".join(parts)) - 1]
            raise DefinitionError(f"-o {key}: {whole} is {inner!r}, which has no parts; set -o {whole}=... whole")
        here = inner


def _next_step(here: Any, parts: list[str], key: str) -> tuple[Any, int]:
    """Return the next key, or position in a list, and how many parts it takes (the name `uniform-0.5` takes two)."""
    if isinstance(here, dict):
        return parts[0], 1
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in here]
    for used in range(len(parts), 0, -1):
        if ".".join(parts[:used]) in names:
            return names.index(".".join(parts[:used])), used
    if parts[0].isdigit() and int(parts[0]) < len(here):
        return int(parts[0]), 1
    known = ", ".join(f"{position} ({name})" for position, name in enumerate(names)) or "none"
    raise DefinitionError(f"-o {key}: there is no entry '{parts[0]}'; entries are {known}")


def in_full(plain: dict[str, Any]) -> dict[str, Any]:
    """Write `data: digits` and `target: ort-cpu` in full, so that `data.imgsz` and `target.threads` can be set."""
    data, target = plain.get("data"), plain.get("target")
    if isinstance(data, str):
        plain = {**plain, "data": {"source": data}}
    if isinstance(target, str) and target in target_names():  # any other is refused with the whole definition
        plain = {**plain, "target": target_in_full(target)}
    return plain


def target_in_full(given: Any) -> Any:
    """Return a target's name as a section; whatever is no text is left to be checked as it is.

    Raises:
        FieldFault: If there is no target of that name.
    """
    if not isinstance(given, str):
        return given
    try:
        return target_named(given)._asdict()
    except TargetError as error:
        raise FieldFault("", f"is '{given}'; {error}") from None


def latency_limit_in_full(plain: Any) -> Any:
    """Write `objectives: {latency: {limit_ms: 5}}` as `limits: {latency_ms: 5}`.

    Raises:
        FieldFault: If there is another key than `limit_ms`, or `limits` says otherwise.
    """
    objectives = plain.get("objectives") if isinstance(plain, Mapping) else None
    if not isinstance(objectives, Mapping) or not isinstance(objectives.get("latency"), Mapping):
        return plain
    for key in objectives["latency"]:
        if key != "limit_ms":
            raise FieldFault(f"objectives.latency.{key}", unknown_key(str(key), ["limit_ms"]))
    limit = objectives["latency"].get("limit_ms")
    limits = plain.get("limits") or {}
    said = limits.get(LATENCY_MS.name) if isinstance(limits, Mapping) else None
    if None not in (limit, said) and limit != said:
        raise FieldFault("objectives.latency.limit_ms", f"is {limit}, but limits.latency_ms is {said}; set one of them")
    rest = {name: direction for name, direction in objectives.items() if name != "latency"}
    full = {name: value for name, value in plain.items() if name != "objectives"} | (
        {"objectives": rest} if rest else {}
    )
    return (
        full
        if limit is None or not isinstance(limits, Mapping)
        else {**full, "limits": {**limits, LATENCY_MS.name: limit}}
    )
