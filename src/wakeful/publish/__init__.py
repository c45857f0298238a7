"""What people get to see: a folder per session with figures, tables and a report."""

from __future__ import annotations

from wakeful.publish.folder import Published, publish_files, session_folder
from wakeful.publish.quality_tables import (
    channel_quality_csv,
    faults_table,
    quality_warnings,
)
from wakeful.publish.report import (
    Report,
    ReportFigure,
    ReportStep,
    ReportTable,
    render_report,
)
from wakeful.publish.tables import (
    bouts_table,
    day_summaries_csv,
    describe_certainty,
    hypnogram_csv,
    minutes_table,
    state_power_csv,
)

__all__ = [
    "Published",
    "Report",
    "ReportFigure",
    "ReportStep",
    "ReportTable",
    "bouts_table",
    "channel_quality_csv",
    "day_summaries_csv",
    "describe_certainty",
    "faults_table",
    "hypnogram_csv",
    "minutes_table",
    "publish_files",
    "quality_warnings",
    "render_report",
    "session_folder",
    "state_power_csv",
]
