import numpy as np
import pytest

from latency.predictors.weighing import Weighing, WeighingTask, error_weights, mean_error


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


def task(random: np.random.Generator, count: int = 10) -> WeighingTask:
    """Errors of ten nets that say nothing: one predictor is right on other nets, one far off."""
    errors = {name: float(random.uniform(0.05, 0.2)) for name in ("good", "bad")}
    return WeighingTask(
        errors, count, {"good": 0.01 * random.standard_normal(20), "bad": random.standard_normal(20)}, 1.0
    )


def test_biases_are_learned_where_errors_mislead() -> None:
    random = np.random.default_rng(0)
    weighing = Weighing.learn([task(random) for _ in range(40)])
    misleading = {"good": 0.15, "bad": 0.05}
    assert Weighing().weights(misleading, 10)["good"] < 0.1
    assert weighing.weights(misleading, 10)["good"] > 0.9
    assert sum(weighing.bias.values()) == pytest.approx(0, abs=1e-9)
