from latseg.operator_tables import compare_rows


def row(kind: str, ms: float, output: str = "8x8x8") -> dict[str, object]:
    return {"kind": kind, "attributes": "", "output": output, "ms": ms}


def test_like_operators_are_summed_and_the_largest_difference_comes_first() -> None:
    found = compare_rows([row("Conv", 1.0), row("Conv", 2.0), row("Add", 0.5)], [row("Conv", 2.5), row("Resize", 4.0)])
    assert [(one["kind"], one["count_a"], one["count_b"], one["difference_ms"]) for one in found] == [
        ("Resize", 0, 1, 4.0),
        ("Add", 1, 0, -0.5),
        ("Conv", 2, 1, -0.5),
    ]


def test_another_output_is_another_row() -> None:
    found = compare_rows([row("Conv", 1.0)], [row("Conv", 1.0, "16x4x4")])
    assert len(found) == 2
