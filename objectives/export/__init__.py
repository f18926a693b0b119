"""Networks as files of other programs: ONNX and Ultralytics' .pt."""
