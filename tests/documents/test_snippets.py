"""Every Python snippet in the README and in docs/ is run, on files and a stored study that are there."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import yolofront
from search.store.sql import open_store
from tests.documents.written import blocks, pages
from tests.search.plausible import plausible_study, store_study
from tests.tree import named
from yolofront.result import Result

SNIPPETS = [(named(page), code) for page in pages() for code in blocks(page, "python")]
TRAINS = ".train("
"""Part of a snippet that trains with Ultralytics: only its imports are run here; tests/objectives trains like it."""
OFFERED: dict[str, Callable[..., Any]] = {
    "yolofront.run": yolofront.run,
    "yolofront.open": yolofront.open,
    "result.best": Result.best,
    "result.export": Result.export,
    "result.to_dataframe": Result.to_dataframe,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in whose `runs` the study lies that the pages name."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "runs").mkdir()
    store = open_store(f"sqlite:///{folder / 'runs' / 'yolofront.db'}")
    store_study(store, plausible_study(trials=5, name="nas_head-bccd"))
    store.close()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("page", "code"), SNIPPETS, ids=[f"{page}-{code[:40]!r}" for page, code in SNIPPETS])
def test_a_snippet_runs(page: str, code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines below `if __name__ == "__main__"` start a study, and are only checked: see the next test."""
    monkeypatch.chdir(folder)
    tree = ast.parse(code)
    if TRAINS in code:
        tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names: dict[str, Any] = {"__name__": page}
    exec(compile(tree, page, "exec"), names)
    if callable(hook := names.get("on_record")):
        hook(plausible_study(trials=1).records[-1])


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for _, code in SNIPPETS:
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in OFFERED:
                yield ast.unparse(node.func), node


def test_calls_have_arguments_that_are_there() -> None:
    called = []
    for name, call in _calls():
        words = {str(word.arg): word.value for word in call.keywords}
        itself = [None] if name.startswith("result.") else []
        inspect.signature(OFFERED[name]).bind(*itself, *call.args, **words)
        called.append(name)
    assert set(called) == set(OFFERED)
