"""A model card: a head that model hubs read, measured figures only, and text that stays text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from objectives.export.model_card import card_name, description, model_card

FACTS: dict[str, Any] = {
    "study": "nas_head-bccd",
    "trial": "trial 7",
    "task": "detect",
    "data": "bccd",
    "lineage": ["one-shot", "trial 3"],
    "checkpoint": "ab12",
    "classes": ["cell", "a|b <script>"],
    "imgsz": 320,
    "architecture": {"model": "yolov8n.yaml"},
    "figures": {
        "parameters": 221000.0,
        "share_pruned": 0.93,
        "accuracy": {"val": {"map50_95": 0.54123, "map50": 0.8, "precision": 0.7, "recall": 0.6, "f1": 0.65}},
    },
}


def test_the_head_is_yaml_with_licence_and_scores() -> None:
    head = yaml.safe_load(model_card(FACTS, "trial-7.onnx").split("---\n")[1])
    assert (head["license"], head["library_name"], head["pipeline_tag"]) == (
        "agpl-3.0",
        "ultralytics",
        "object-detection",
    )
    assert (head["base_model"], head["datasets"]) == ("yolov8n", ["bccd"])
    (result,) = head["model-index"][0]["results"]
    assert result["dataset"]["split"] == "val"
    assert {each["type"]: each["value"] for each in result["metrics"]}["map50_95"] == 0.5412


def test_only_measured_figures_are_told() -> None:
    text = model_card(FACTS, "trial-7.onnx")
    assert "| mAP50-95, val | 0.541 |" in text and "| parameters | 221,000 |" in text
    assert "latency" not in text and "GFLOPs" not in text and "<script>" not in text
    timed = {**FACTS["figures"], "latency_ms_now": {"value": 3.21, "low": 3.1, "high": 3.3}}
    text = model_card({**FACTS, "figures": timed, "target": {"runtime": "onnxruntime", "provider": "cpu"}}, "x.onnx")
    assert "| latency on onnxruntime cpu | 3.21 ms (3.1 to 3.3) |" in text
    reduced = {**FACTS["figures"], "accuracy_int8": {"val": {"map50_95": 0.5, "f1": 0.6, "confidence": 0.5}}}
    text = model_card({**FACTS, "figures": reduced}, "x.onnx")
    assert "| mAP50-95 of the int8 file, val | 0.500 |" in text
    assert "| F1 at confidence 0.5 of the int8 file, val | 0.600 |" in text


def test_it_says_what_is_left_of_the_parent_and_how_to_load_the_file() -> None:
    assert description(FACTS) == "yolov8n pruned by yolofront: 7 % of its parameters are left"
    whole = {**FACTS, "figures": {"share_pruned": 0.0}, "lineage": []}
    assert description(whole) == "yolov8n, trained by yolofront"
    text = model_card(FACTS, "trial-7.onnx")
    assert 'YOLO("trial-7.onnx", task="detect")' in text and "by way of one-shot, then trial 3." in text
    assert "for the runtime of its format" in model_card(whole, "trial-7_ncnn_model")


def test_the_card_of_another_task_has_its_name_on_hubs_and_its_own_accuracy() -> None:
    scores = {"val": {"mask_map50_95": 0.4, "map50_95": 0.5}}
    text = model_card({**FACTS, "task": "segment", "figures": {"accuracy": scores}}, "trial-7.pt")
    head = yaml.safe_load(text.split("---\n")[1])
    assert head["pipeline_tag"] == head["tags"][0] == head["model-index"][0]["results"][0]["task"]["type"]
    assert head["pipeline_tag"] == "image-segmentation"
    assert "| mask mAP50-95, val | 0.400 |" in text and 'YOLO("trial-7.pt", task="segment")' in text


def test_a_readme_of_someone_else_stays(tmp_path: Path) -> None:
    assert card_name(tmp_path, "trial-7") == "README.md"
    (tmp_path / "README.md").write_text(model_card(FACTS, "trial-7.onnx"))
    assert card_name(tmp_path, "trial-8") == "README.md", "that of an earlier export is replaced, like its weights"
    (tmp_path / "README.md").write_text("# My project, with yolofront\n")
    assert card_name(tmp_path, "trial-7") == "trial-7.md"
