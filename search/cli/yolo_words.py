"""Arguments of Ultralytics' command line that mean something else here, or nothing: why, and what takes their place."""

from __future__ import annotations

from collections.abc import Mapping

AUTO = -1
"""Batch size that is measured, as in Ultralytics: `batch=-1`; `auto` is another word for it."""

_OF_TRIALS = "trials are compared at equal training"
_OTHER_TASK = "it has Ultralytics' default"
_PREDICTING = (
    "agnostic_nms", "embed", "line_width", "retina_masks", "save_crop", "save_frames", "show_boxes", "show_conf",
    "show_labels", "source", "stream_buffer", "vid_stride",
)  # fmt: skip
_NO_FILES = "figures and weights of every network are stored, and `yolofront report` draws the pictures"

OF_TRAINING: Mapping[str, str] = {
    **dict.fromkeys(_PREDICTING, "Ultralytics predicts, with the files of `yolofront export`"),
    "angle": _OTHER_TASK,
    "auto_augment": _OTHER_TASK,
    **dict.fromkeys(("dgrad", "dlam", "dlog"), _OTHER_TASK),
    "channels_last": "training is always in that layout",
    "cls_pw": "all classes have the same weight in the loss",
    "cls_remap": "weights of the data's classes are taken as they are; parent.as_is=true if their names differ",
    "cfg": "studies/NAME.yaml is the file with all values; --print-config shows them",
    "copy_paste_mode": "detectors have no masks to paste",
    "dis": "recipe.distill is its name here",
    "distill_model": "the parent teaches",
    "format": "`yolofront export` writes files",
    "kobj": _OTHER_TASK,
    "rle": _OTHER_TASK,
    "tracker": _OTHER_TASK,
    "amp": "on a GPU training is always in mixed precision, on a CPU never",
    "augment": "the fields of the recipe set the augmentation, such as mosaic=0.5",
    "cache": "images are kept in memory if they fit, else they are read again",
    "compile": "each trial is another network, and compiling takes longer than it saves",
    "copy_paste": "detectors have no masks to paste",
    "deterministic": "a seed always gives the same training, as far as the device allows",
    "dnn": "target names what runs the network, as in target=ort-cpu",
    "dropout": "detectors have no dropout",
    "erasing": _OTHER_TASK,
    "exist_ok": "the same command continues a study; --new begins it again",
    "freeze": "all layers of a cut network are trained, since each reads channels of a layer that was cut",
    "half": "target names the precision of the latency, as in target={runtime: onnxruntime, precision: fp16}",
    "int8": "target names the precision of the latency, as in target=openvino-cpu-int8",
    "iou": "accuracy.iou is the IoU of precision, recall and F1; mAP always takes 0.50 to 0.95",
    "conf": "accuracy.confidence is the confidence of precision, recall and F1; mAP takes all",
    "mask_ratio": _OTHER_TASK,
    "max_det": "it is 300, as in `yolo val`",
    "mode": "write `yolofront run`, `yolofront export` or another command",
    "multi_scale": f"{_OF_TRIALS}, each at one image size; recipe.imgsz can be searched",
    "nbs": "the gradient is applied after every batch",
    "overlap_mask": _OTHER_TASK,
    "patience": f"{_OF_TRIALS}, of as many epochs as epochs says; rungs.rule stops trials that are left behind",
    "plots": _NO_FILES,
    "pose": _OTHER_TASK,
    "pretrained": "model=best.pt begins with trained weights, model=yolov8n.yaml with random ones",
    "quantize": "target names the precision of the latency, as in target=openvino-cpu-int8",
    "profile": "every network is timed on the target",
    "rect": "training is on squares, validation on rectangles, as by default in Ultralytics",
    "save": _NO_FILES,
    "save_conf": _NO_FILES,
    "save_json": _NO_FILES,
    "save_period": "the state of a training is kept each epoch; --keep-every 10m keeps it less often",
    "save_txt": _NO_FILES,
    "show": _NO_FILES,
    "split": "val directs the search, and every further split of the data set gets columns",
    "time": "budget=8h limits the whole study, timeout=8h one command; epochs=50 sets a trial's training",
    "val": f"{_OF_TRIALS} and scored; recipe.val_every scores less often",
    "visualize": _NO_FILES,
}
"""Arguments of `yolo train` and `yolo val`."""

OF_EXPORT: Mapping[str, str] = {
    "batch": "the file takes as many images as the study's target",
    "device": "the file does not depend on the device, and its latency is measured on the study's target",
    "dynamic": "the file has one input size, at which its latency is measured",
    "half": "the study's target names the precision of the file",
    "imgsz": "the file has the image size of its training, at which it was measured",
    "int8": "the study's target names the precision: `yolofront run --retarget openvino-cpu-int8` makes such a study",
    "keras": "Keras is not written",
    "mode": "this command exports",
    "model": "--trial, --name, --best-under or --knee choose a network of the study",
    "nms": "the file gives all boxes; a target with NMS in the file has {nms: true}",
    "opset": "the file has the opset that all runtimes here read",
    "optimize": "TorchScript for phones is not written",
    "simplify": "the file is that which was timed",
    "task": "the study has the task of its parent",
    "workspace": "TensorRT takes what it needs",
}
"""Arguments of `yolo export`."""


def numbers(text: str) -> tuple[int, ...]:
    """Return the numbers of a list as Ultralytics' command line has it: `[0,2]`, `0,2` or `0`.

    Raises:
        ValueError: If it is none.
    """
    return tuple(int(part) for part in text.strip("[] ").split(","))


def batch_size(text: str) -> int:
    """Return a batch size; `AUTO` for `auto`.

    Raises:
        ValueError: If it is no whole number.
    """
    return AUTO if text == "auto" else int(text)
