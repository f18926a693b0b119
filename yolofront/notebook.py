"""The front of a study as a cell of a notebook shows it: a sentence, a picture and a table."""

from __future__ import annotations

import base64
from html import escape

from objectives.quantities import LATENCY_MS
from search.findings.columns import columns_of
from search.findings.study_results import StudyResults
from search.record.trial import trained_accuracy
from spaces.shown import shown


def notebook_html(found: StudyResults) -> str:
    """Return HTML without scripts and requests; names of others are escaped."""
    from search.pictures.pareto import pareto_bytes  # imports matplotlib

    study = found.study
    picture = base64.b64encode(pareto_bytes(found.records, found.fronts, objectives=study.objectives)).decode()
    return (
        f"<p><b>{escape(shown(study.sampler_name))}</b> {escape(shown(found.summary))}</p>"
        f'<img alt="Pareto front" style="max-width:720px" src="data:image/png;base64,{picture}">'
        f"<table>{_table(found)}</table>"
    )


def _table(found: StudyResults) -> str:
    shown_keys = (trained_accuracy(found.records).name, LATENCY_MS.name)
    columns = [column for column in columns_of(found.records) if column.key in shown_keys]
    heads = "".join(f"<th>{escape(title)}</th>" for title in ("", *(column.title for column in columns), "note"))
    lines = (
        f"<tr><th>{escape(shown(row.record.name))}</th>"
        + "".join(f"<td>{escape(row.text(column))}</td>" for column in columns)
        + f"<td>{escape(shown(row.note))}</td></tr>"
        for row in found.rows()
        if row.on_front
    )
    return f"<tr>{heads}</tr>{''.join(lines)}"
