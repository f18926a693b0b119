"""Opens the tools that train networks of a stored study further, after its search. Imports torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from search.prepare.early_checks import check_device
from search.prepare.preparation import Preparation, Setting
from search.record.events import Say
from search.record.folders import RunFolder
from search.store.base import Store, StudyEntry
from search.study.definition import stored_definition
from search.study.faults import DefinitionError
from search.trial.workbench import Workbench


@contextmanager
def open_trained_workbench(
    store: Store, study: StudyEntry, folder: RunFolder, device: str, scratch: Path, say: Say
) -> Iterator[Workbench]:
    """Open a study's data and target, around its trained parent.

    Raises:
        DefinitionError: If the device does not exist, or data or target are not those of the study.
    """
    check_device(device)
    definition = stored_definition(study.name, study.definition)
    setting = Setting(folder=folder, device=device, scratch=scratch)
    preparation = Preparation(definition=definition, store=store, setting=setting, say=say)
    inputs = preparation.read_inputs()
    with preparation.open_workbench(inputs) as bench:
        here = {"data": inputs.data.key, "target": bench.latencies.target.key}
        changed = [name for name, key in here.items() if study.frozen.get(name, key) != key]
        if changed:
            raise DefinitionError(f"study '{study.sampler_name}' was begun with other {' and '.join(changed)}")
        trained = bench.checkpoints.get(study.frozen["parent"])
        bench = bench.with_parent(bench.parent.with_weights(trained))
        yield replace(bench, kept=preparation.kept_folder(study))
