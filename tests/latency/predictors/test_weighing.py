import numpy as np
import pytest

from latency.predictors.weighing import error_weights, mean_error


def test_the_better_one_decides_the_more_nets_stand_behind_it() -> None:
    few = error_weights({"good": np.full(4, 1.05), "bad": np.full(4, 1.2)})
    many = error_weights({"good": np.full(40, 1.05), "bad": np.full(40, 1.2)})
    assert few["bad"] < few["good"] < many["good"]
    assert sum(many.values()) == pytest.approx(1.0)


def test_one_net_that_the_device_hardly_computes_does_not_decide() -> None:
    hundredfold = np.array([1.0, 1.0, 1.0, 0.01])
    assert mean_error(hundredfold) == pytest.approx(0.25)
    weights = error_weights({"off once": hundredfold, "always off": np.full(4, 0.6)})
    assert weights["off once"] > weights["always off"]
