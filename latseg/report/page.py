"""The report as one self-contained HTML page: no network, no file beside it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

_STYLE = """
body { font: 15px/1.55 system-ui, sans-serif; color: #1f2933; max-width: 1000px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.7em; margin-bottom: .2em } h2 { font-size: 1.2em; margin-top: 2.2em }
p.lead { font-size: 1.15em } .simulated { background: #fde8e8; color: #9b1c1c; padding: .6em 1em; font-weight: 600 }
table { border-collapse: collapse; margin: .8em 0; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .25em .9em .25em 0; border-bottom: 1px solid #e4e7eb; vertical-align: top }
td.number, th.number { text-align: right } code { background: #f5f7fa; padding: .1em .3em }
pre { background: #f5f7fa; padding: .8em; overflow-x: auto } .examples { display: flex; flex-wrap: wrap; gap: 1em }
.pair { display: flex; gap: .5em } figure { margin: 0 } figure img { max-width: 100% }
img.transparent { background: repeating-conic-gradient(#d5d9de 0% 25%, #fff 0% 50%) 0 0 / 20px 20px }
figcaption { color: #616e7c; font-size: .9em }
table.confusion { font-size: .85em } table.confusion td, table.confusion th { padding: .2em .45em; white-space: nowrap }
.scroll { overflow-x: auto } footer { color: #616e7c }
summary { cursor: pointer; color: #0b7a75 } details { margin: .8em 0 }
"""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, a sentence that explains the content, and the content (HTML)."""

    title: str
    lead: str
    body: str


def page(title: str, lead: str, sections: Sequence[Section], *, footer: str, simulated: bool = False) -> str:
    """The whole page."""
    warning = '<p class="simulated">SIMULATED device: nothing was timed, nothing is certified.</p>' if simulated else ""
    parts = "".join(f"<section><h2>{escape(s.title)}</h2><p>{escape(s.lead)}</p>{s.body}</section>" for s in sections)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style>{_plotly()}</head>'
        f'<body><h1>{escape(title)}</h1>{warning}<p class="lead">{escape(lead)}</p>{parts}'
        f"<footer><p>{escape(footer)}</p></footer></body></html>"
    )


def figure(plot: Any) -> str:
    """A plotly figure for embedding; the page carries the library once."""
    return str(plot.to_html(full_html=False, include_plotlyjs=False, config={"displaylogo": False, "responsive": True}))


def html_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; numbers are aligned to the right."""
    numeric = [bool(rows) and all(isinstance(row[i], int | float) for row in rows) for i in range(len(columns))]
    kind = [' class="number"' if is_number else "" for is_number in numeric]
    head = "".join(f"<th{kind[i]}>{escape(column)}</th>" for i, column in enumerate(columns))
    body = "".join(
        "<tr>" + "".join(f"<td{kind[i]}>{escape(_text(value))}</td>" for i, value in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def folded(summary: str, body: str) -> str:
    """A part that the reader opens."""
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"


def image(png: bytes, caption: str, *, style: str = "") -> str:
    """A picture with its caption, embedded; the style ``transparent`` shows squares where it is transparent."""
    data = base64.b64encode(png).decode()
    return (
        f'<figure><img class="{style}" src="data:image/png;base64,{data}" alt="{escape(caption)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def commands(lines: Sequence[str]) -> str:
    """Command lines to copy."""
    return "<pre>" + escape("\n".join(lines)) + "</pre>"


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return f"<script>{get_plotlyjs()}</script>"
