"""Log each network of a study to MLflow, with its figures and learning curve, as soon as it is stored.

python examples/to_mlflow.py --data my.yaml --model best.pt --budget 3000epochs
"""

import argparse

import mlflow

import yolofront


def on_record(record):
    """Log a network as one run of the experiment."""
    with mlflow.start_run(run_name=record.name, tags={"outcome": record.outcome.value, "reason": record.reason}):
        mlflow.log_params(dict(record.params))
        for measured in record.measurements:  # latency_ms, flops_g, size_mib, ...
            mlflow.log_metric(measured.name, measured.value)
        for scored in record.evaluations:  # on val, and on each further split
            mlflow.log_metrics({f"{scored.split}.map50_95": scored.map50_95, f"{scored.split}.f1": scored.f1})
        for epoch in record.rungs:
            mlflow.log_metric("map50_95", epoch.map50_95, step=epoch.epoch)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("study", "data", "model", "budget"):
        parser.add_argument(f"--{name}", default="nas_head" if name == "study" else None)
    mlflow.set_experiment("yolofront")
    print(yolofront.run(**vars(parser.parse_args()), callbacks=[on_record]).best().name)
