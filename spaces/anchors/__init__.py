"""Detectors of the original YOLOv5 (repository ultralytics/yolov5, v6.0 to v7.0): head, network and loss."""
