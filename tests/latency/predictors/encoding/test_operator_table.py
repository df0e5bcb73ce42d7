import numpy as np

from latency.predictors.encoding.operator_table import RowCache


def test_rows_stay_where_they_are_while_others_come() -> None:
    cache, known = RowCache(), np.arange(60.0).reshape(20, 3)
    for start in range(0, 20, 4):
        cache.append(known[start : start + 4])
        assert len(cache) == start + 4
        assert np.array_equal(cache[np.arange(start + 4)], known[: start + 4])
    assert cache[np.array([[0, 19], [3, 3]])].shape == (2, 2, 3)
