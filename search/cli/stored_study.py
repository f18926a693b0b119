"""Find the stored study that a name on the command line means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePath

from search.store.base import Store, StudyEntry
from search.store.url import StorageUrlError, mask, parse, sqlite_file
from search.study.faults import DefinitionError
from search.study.names import RETARGETED, study_files
from spaces.suggestion import did_you_mean


def require_database(url: str) -> None:
    """Refuse to create an empty database for a command that only reads one.

    Raises:
        StorageUrlError: If the URL is wrong, or names an SQLite file that does not exist.
    """
    file = sqlite_file(parse(url))
    if file is not None and not file.exists():
        raise StorageUrlError(f"there is no database at {mask(url)}; `yolofront run --study ...` creates it")


@contextmanager
def existing_store(url: str) -> Iterator[Store]:
    """Open a database that exists, and close it at the end.

    Raises:
        StorageUrlError: If there is no database at the URL; none is created.
    """
    from search.store.sql import open_store  # imports SQLAlchemy: not for --help

    require_database(url)
    store = open_store(url)
    try:
        yield store
    finally:
        store.close()


def find_study(store: Store, name: str) -> StudyEntry:
    """Return the stored study that `name` means.

    The first match counts: the newest generation of the study with that name; one generation by its full name
    (`nas_head-2`); the newest study whose name begins with that of a YAML (`nas_head-...`), on its own target. Of a
    path to a YAML file the stem is used.

    Raises:
        DefinitionError: If there is none; the message names the most similar one.
    """
    wanted = PurePath(name).stem if name.endswith((".yaml", ".yml")) else name
    studies = store.studies()
    for matches in (
        [study for study in studies if study.name == wanted],
        [study for study in studies if study.sampler_name == wanted],
        [study for study in studies if study.name.startswith(f"{wanted}-") and RETARGETED not in study.name],
    ):
        if matches:
            return matches[-1]  # the store lists the oldest first
    raise DefinitionError(f"no study '{wanted}' is stored; {_advice(wanted, studies)}")


def _advice(wanted: str, studies: Sequence[StudyEntry]) -> str:
    names = list(dict.fromkeys(study.name for study in studies))
    if not names:
        files = [each for each in study_files() if wanted.startswith(f"{each}-")]  # `nas_head-my`: nas_head of my.yaml
        begins = f"{max(files, key=len)} --data MY.yaml" if files and wanted not in study_files() else wanted
        return f"the database is empty; start it with `yolofront run --study {begins}`"
    return did_you_mean(wanted, names, f"stored: {', '.join(names)}", cutoff=0.5)
