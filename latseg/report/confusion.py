"""Confusion of classes as a table of shaded cells, readable with many classes, too."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_FEW = 5
"""Up to so many classes have shares with one decimal."""
_RIGHT, _WRONG = "11, 122, 117", "194, 65, 12"


def confusion_table(
    classes: Sequence[str], counts: Sequence[Sequence[int]], iou_by_class: Sequence[float | None]
) -> str:
    """HTML: a row for each true class, its pixels as percent by predicted class, and the class's IoU.

    Args:
        classes: their names.
        counts: pixels by true class (row) and predicted class (column).
        iou_by_class: from 0 to 1; None for a class that occurs nowhere.
    """
    total = sum(map(sum, counts))
    columns = [_number(str(number), escape(name)) for number, name in enumerate(classes)]
    head = "".join([*columns, _number("IoU, %"), _number("pixels, %")])
    rows = []
    for number, (row, iou) in enumerate(zip(counts, iou_by_class, strict=True)):
        cells = [_cell(classes, number, predicted, row) for predicted in range(len(classes))]
        cells += [_number("" if iou is None else f"{100 * iou:.1f}"), _number(f"{100 * sum(row) / max(1, total):.2f}")]
        rows.append(f"<tr><th>{number} {escape(classes[number])}</th>{''.join(cells)}</tr>")
    return (
        '<div class="scroll"><table class="confusion"><thead><tr><th>true class</th>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _number(text: str, title: str = "") -> str:
    return f'<td class="number" title="{title}">{text}</td>' if title else f'<td class="number">{text}</td>'


def _cell(classes: Sequence[str], true: int, predicted: int, row: Sequence[int]) -> str:
    share = row[predicted] / max(1, sum(row))
    colour = _RIGHT if true == predicted else _WRONG
    style = f"background: rgba({colour}, {0.75 * share**0.5:.3f})"
    title = f"true {classes[true]}, predicted {classes[predicted]}: {row[predicted]:,} of {sum(row):,} pixels"
    return f'<td class="number" style="{style}" title="{escape(title)}">{_percent(share, len(classes))}</td>'


def _percent(share: float, classes: int) -> str:
    """Nothing where there are no pixels, and a dot where there are few."""
    if share == 0:
        return ""
    text = f"{100 * share:.1f}" if classes <= _FEW else f"{100 * share:.0f}"
    return text if float(text) else "·"
