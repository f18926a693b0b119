"""The model card of an exported network: a README with the head that model hubs read, made from its measured facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

import yaml

from objectives.quantities import OWN_ACCURACIES
from spaces.shown import markdown_text

CARD = "README.md"
"""Name that model hubs expect."""
LICENCE = "agpl-3.0"
"""Licence of the code and of the weights that Ultralytics' trainer makes, by its name on model hubs."""
DETECTING = "object-detection"
PIPELINES = {"segment": "image-segmentation", "pose": "keypoint-detection", "classify": "image-classification"}
"""Names of tasks on model hubs, by Ultralytics' names; others are `DETECTING`."""
TAGS = ("yolo", "pruning", "yolofront")
SCORES = {
    **{each.name: each.title for own in OWN_ACCURACIES.values() for each in own},
    **{"map50_95": "mAP50-95", "map50": "mAP50", "precision": "precision", "recall": "recall", "f1": "F1"},
}
COSTS = {
    "parameters": ("parameters", ""),
    "flops_g": ("cost of one image", "GFLOPs"),
    "size_mib": ("size in half precision", "MiB"),
}
AT_CONFIDENCE = ("precision", "recall", "f1")
LOADED_BY_YOLO = (".onnx", ".pt", ".torchscript", "_openvino_model", ".engine")


def card_name(folder: Path, stem: str) -> str:
    """Return the card's file name in a folder: `README.md`, or that of the network beside a README of someone else."""
    present = folder / CARD
    is_other = present.exists() and f"- {TAGS[-1]}\n" not in present.read_text(encoding="utf-8", errors="replace")
    return f"{stem}.md" if is_other else CARD


def model_card(facts: Mapping[str, Any], file: str) -> str:
    """Return the model card in Markdown. Figures that were not measured are left out.

    Args:
        facts: As they stand in the JSON beside the exported file.
        file: Name of the exported file.
    """
    head = yaml.safe_dump(_head(facts), sort_keys=False, allow_unicode=True).rstrip()
    return "\n".join(["---", head, "---", "", *_body(facts, file)]) + "\n"


def description(facts: Mapping[str, Any]) -> str:
    """Return one line: what the network was made from, and how much of it is left."""
    pruned = facts["figures"].get("share_pruned")
    if not pruned:
        return f"{_base(facts)}, trained by yolofront"
    return f"{_base(facts)} pruned by yolofront: {100 * (1 - pruned):.3g} % of its parameters are left"


def _base(facts: Mapping[str, Any]) -> str:
    return PurePath(str(facts["architecture"].get("model") or "")).stem or "its parent"


def _head(facts: Mapping[str, Any]) -> dict[str, Any]:
    data, pipeline = str(facts["data"]), PIPELINES.get(facts["task"], DETECTING)
    results = [
        {
            "task": {"type": pipeline},
            "dataset": {"name": f"{data} ({split})", "type": data, "split": split},
            "metrics": [
                {"type": name, "name": title, "value": round(scores[name], 4)}
                for name, title in SCORES.items()
                if name in scores
            ],
        }
        for split, scores in facts["figures"].get("accuracy", {}).items()
    ]
    return {
        "license": LICENCE,
        "library_name": "ultralytics",
        "pipeline_tag": pipeline,
        "base_model": _base(facts),
        "datasets": [data],
        "tags": [pipeline, *TAGS],
        "model-index": [{"name": f"{facts['study']} {facts['trial']}", "results": results}],
    }


def _body(facts: Mapping[str, Any], file: str) -> Iterator[str]:
    yield from (f"# {markdown_text(facts['trial'])} of {markdown_text(facts['study'])}", "")
    yield f"{markdown_text(description(facts))}. Classes: {', '.join(map(markdown_text, facts['classes']))}."
    yield f"Image size: {facts['imgsz']} px."
    yield from ("", "| figure | value |", "|---|---:|")
    yield from (f"| {name} | {value} |" for name, value in _figures(facts))
    yield ""
    yield "Unless a line says otherwise, accuracy is that of the network in float32, read back from its saved weights."
    yield "The network was chosen among many by its accuracy on val, so quote that on a test split."
    yield from ("", "## Use", "")
    if file.endswith(LOADED_BY_YOLO):
        yield from ("```python", "from ultralytics import YOLO", "", f'model = YOLO("{file}", task="{facts["task"]}")')
        yield from (f'model.predict("image.jpg", imgsz={facts["imgsz"]})', "```")
    else:
        yield f"`{file}` is for the runtime of its format."
    yield from ("", "## Origin", "")
    lineage = ", then ".join(map(markdown_text, facts["lineage"]))
    yield f"Made by yolofront from {markdown_text(_base(facts))}" + (f" by way of {lineage}." if lineage else ".")
    yield f"Weights: `{facts['checkpoint']}`. All facts are in the JSON file beside this one."
    yield from ("", "## Licence", "")
    yield "AGPL-3.0, as of Ultralytics, whose trainer made the weights; Ultralytics also sells other licences."


def _figures(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    figures = facts["figures"]
    for split, scores in figures.get("accuracy", {}).items():
        yield from ((f"{title}, {split}", text) for title, text in _scores(scores))
    for precision in ("fp16", "int8"):
        for split, scores in figures.get(f"accuracy_{precision}", {}).items():
            yield from ((f"{title} of the {precision} file, {split}", text) for title, text in _scores(scores))
    for name, (title, unit) in COSTS.items():
        if name in figures:
            yield title, f"{figures[name]:.3g} {unit}" if unit else f"{figures[name]:,.0f}"
    now, target = figures.get("latency_ms_now"), facts.get("target") or {}
    if now:
        where = " ".join(str(target[key]) for key in ("runtime", "provider", "precision") if target.get(key))
        yield f"latency on {markdown_text(where)}", f"{now['value']:.3g} ms ({now['low']:.3g} to {now['high']:.3g})"


def _scores(scores: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    for name, title in SCORES.items():
        at = f" at confidence {scores['confidence']:g}" if name in AT_CONFIDENCE and "confidence" in scores else ""
        if name in scores:
            yield f"{title}{at}", f"{scores[name]:.3f}"
