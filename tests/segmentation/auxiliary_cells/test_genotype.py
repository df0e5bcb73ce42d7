from __future__ import annotations

import pytest

from foundation.errors import UserError
from segmentation.auxiliary_cells.genotype import Cell, Genotype

TEXT = "[[4, [0, 1, 4, 4], [2, 4, 6, 0], [6, 4, 1, 3]], [[3, 3], [1, 0], [1, 3]]]"


def test_text_round_trip() -> None:
    genotype = Genotype.parse(TEXT)
    assert genotype == Genotype(Cell(4, ((0, 1, 4, 4), (2, 4, 6, 0), (6, 4, 1, 3))), ((3, 3), (1, 0), (1, 3)))
    assert str(genotype) == TEXT


@pytest.mark.parametrize(("text", "told"), [
    ("[[4", "all of it"),
    ("[" * 100_000, "all of it"),
    ("[[4], [[3, 3], [1, 0], [1, 3]]]", "3 entries of 4 numbers"),
    (TEXT.replace("4, [0", "4.5, [0"), r"\[0\]\[0\]"),
    (TEXT.replace("4, [0", "true, [0"), r"\[0\]\[0\]"),
    (TEXT.replace("[1, 3]", "[1, 3, 0]"), r"\[1\]\[2\]"),
    (TEXT.replace("4, [0", "11, [0"), "got 11 for the first operation; expected 0 to 10"),
    (TEXT.replace("[0, 1, 4", "[0, 2, 4"), "got 2 for a node of entry 1; expected 0 to 1"),
    (TEXT.replace("[6, 4", "[8, 4"), "got 8 for a node of entry 3; expected 0 to 7"),
    (TEXT.replace("6, 0]", "6, -1]"), "got -1 for an operation of entry 2; expected 0 to 10"),
    (TEXT.replace("[3, 3]", "[3, 4]"), "got 4 for an input of connection 1; expected 0 to 3"),
    (TEXT.replace("[1, 3]]]", "[1, 6]]]"), "got 6 for an input of connection 3; expected 0 to 5"),
])  # fmt: skip
def test_other_texts_are_refused(text: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        Genotype.parse(text)
