"""The report's section on what the search did: findings and pictures of its analysis."""

from __future__ import annotations

from html import escape

from latseg.report.page import Section, image
from search.analysis.analysed import AnalysedLog
from search.analysis.pictures.album import pictures_of, shared_pictures
from search.analysis.pictures.style import render
from search.analysis.search_log import SearchLog

SHOWN = ("best_so_far", "windows", "course", "parameters", "diversity", "importance")
"""Pictures that are shown, where the log has data for them; ``latseg analyse`` draws all."""
_DPI = 110
"""Small enough for a page, sharp enough for a screen."""


def course_section(log: SearchLog) -> Section:
    """Findings, each with its remedy, and pictures as PNG."""
    analysed = AnalysedLog(log)
    found = "".join(
        f"<li>{escape(finding.text)}{f' <b>{escape(finding.remedy)}</b>' if finding.fault else ''}</li>"
        for finding in analysed.findings
    )
    pictures = {picture.name: picture for picture in (*shared_pictures([log]), *pictures_of(analysed))}
    shown = [pictures[name] for name in SHOWN if name in pictures]
    images = "".join(image(render(picture.draw, "png", dpi=_DPI), picture.caption) for picture in shown)
    lead = f"In words, with what should be changed in bold; latseg analyse {log.name} writes more pictures and tables."
    return Section("What the search did", lead, f"<ul>{found}</ul>{images}")
