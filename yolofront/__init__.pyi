from yolofront.result import Result
from yolofront.studies import RunError, run
from yolofront.studies import open_study as open

__all__ = ["Result", "RunError", "open", "run"]
