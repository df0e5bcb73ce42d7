from __future__ import annotations

import pytest

from foundation.errors import UserError
from segmentation.templates.genotype import Genotype

TEMPLATES = "[[3, 0, 1], [4, 1, 1], [3, 1, 1]]"
LAYERS = (
    "[[0, 1, 0, 0, 1], [2, 1, 2, 1, 0], [3, 1, 1, 1, 0], [1, 1, 2, 0, 0], [3, 0, 2, 0, 0], [5, 3, 2, 1, 0], "
    "[0, 5, 0, 1, 0]]"
)


def test_texts_are_read_and_written() -> None:
    text = f"[{TEMPLATES}, {LAYERS}]"
    assert str(Genotype.parse(text)) == text


@pytest.mark.parametrize(("old", "new", "told"), [
    ("[3, 0, 1]", "[6, 0, 1]", "got 6 for first of template 1; expected 0 to 5"),
    ("[3, 0, 1]", "[3, 0, 2]", "got 2 for aggregation of template 1; expected 0 to 1"),
    ("[3, 0, 1]", "[3, 0]", "[0][0][2]: Field required"),
    ("[3, 0, 1], ", "", "got 2 templates and 7 layers; expected 3 templates and 7 layers"),
    ("[[0, 1, 0, 0, 1]", "[[2, 1, 0, 0, 1]", "got 2 for first of layer 1; expected 0 to 1"),
    ("[[0, 1, 0, 0, 1]", "[[0, 1, 0, 4, 1]", "got 4 for further of layer 1; expected 0 to 3"),
    ("[1, 1, 2, 0, 0]", "[1, 1, 2, 0, 1]", "got 1 for strided of layer 4; expected 0 to 0"),
    ("[1, 1, 2, 0, 0]", "[1, 1, -1, 0, 0]", "got -1 for template of layer 4; expected 0 to 2"),
    ("[1, 1, 2, 0, 0]", "[1, 1, 2, 0, 0.5]", "[1][3][4]: Input should be a valid integer"),
    ("]]]", "", "all of it: Invalid JSON"),
])  # fmt: skip
def test_others_are_refused(old: str, new: str, told: str) -> None:
    text = f"[{TEMPLATES}, {LAYERS}]"
    assert old in text
    with pytest.raises(UserError, match="genotype") as refused:
        Genotype.parse(text.replace(old, new, 1))
    assert told in str(refused.value)
