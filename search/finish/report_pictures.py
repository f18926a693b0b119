"""Keep what a report shows of val up to date: pictures with boxes and confusion matrices. Imports torch when needed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from search.cli.command import error_line
from search.findings.leaderboard import parent_of
from search.findings.roles import front_roles, least_for_roles
from search.findings.selection import confirmed_study
from search.pages.example_pictures import ExamplePictures, read_pictures, write_pictures
from search.record.folders import RunFolder
from search.record.trial import TrialRecord
from search.store.base import Store, StudyEntry
from search.study.sections import AccuracySection
from search.work.liveness import STALE_AFTER_S

AT_WORK = "pictures and confusion matrices come when the study ends: a worker is busy with a trial"


def pictures_of(
    store: Store, study: StudyEntry, folder: RunFolder, show_line: Callable[[str], None], *, device: str = "cpu"
) -> ExamplePictures | None:
    """Return what the parent and a candidate of the front find on val; None if there is nothing to show.

    What lies beside the study's report is taken if it is up to date. Otherwise it is made and written there; where that
    is not possible, what lies there is taken if its networks are still those of the study.

    Args:
        show_line: Is told in one line why there is nothing: a report does without pictures, whatever fails.
        device: Device as Ultralytics spells it: `cpu`, `0`.
    """
    place, present = folder.study(study.sampler_name), None
    try:
        if (shown := shown_networks(store, study)) is None:
            return None
        present = read_pictures(place, store.records(study))
        if present is not None and present.are_complete(shown, _accuracy(study)):
            return present
        if any(each.heartbeat_age_s < STALE_AFTER_S for each in store.open_attempts(study) if each.worker):
            show_line(AT_WORK)
            return present
        show_line(f"finding what {' and '.join(record.name for record in shown)} see on val")
        from search.finish.example_boxes import find_on_val

        made = find_on_val(study, folder, shown, device)
        with suppress(OSError):  # a folder that cannot be written to: they are made again next time
            write_pictures(place, made)
        return made
    except Exception as error:  # nothing else of a study may fail for its pictures
        show_line(f"no new pictures and confusion matrices in the report: {error_line(error)}")
        return present


def are_up_to_date(store: Store, study: StudyEntry, folder: RunFolder) -> bool:
    """Return whether what lies beside the study's report shows its present front, or there is nothing to show."""
    if (shown := shown_networks(store, study)) is None:
        return True
    present = read_pictures(folder.study(study.sampler_name), shown)
    return present is not None and present.are_complete(shown, _accuracy(study))


def _accuracy(study: StudyEntry) -> AccuracySection:
    return AccuracySection.model_validate(study.definition.get("accuracy") or {})


def shown_networks(store: Store, study: StudyEntry) -> tuple[TrialRecord, TrialRecord] | None:
    """Return the parent and the candidate that says most of the front; None if there is none with weights.

    It is the front's best trade-off (knee), else its most accurate member, else the fastest.
    """
    known = confirmed_study(store, study)
    parent = parent_of(known.records)
    if parent is None or parent.checkpoint is None:
        return None
    members = [record for record in known.records if record.name in known.front and record.checkpoint is not None]
    least = least_for_roles(parent, study.objectives, study.definition.get("at_least"))
    roles = front_roles(members, study.objectives, least)
    others = [record for record in members if record.checkpoint != parent.checkpoint]
    for role in ("knee", "best", "fastest"):
        if chosen := [record for record in others if role in roles.get(record.name, ())]:
            return parent, chosen[0]
    return None
