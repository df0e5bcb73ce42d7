"""The prior of the package: it can be read, is small, and lowers the error from a few measurements."""

from __future__ import annotations

from random import Random

import numpy as np

from latency.operators.operator import OperatorGraph
from latency.predictors.additive.operator_counts import OperatorCountsPredictor
from latency.predictors.transfer.few_samples import FewSamplesPredictor
from latency.predictors.transfer.informative_nets import informative_nets
from latency.predictors.transfer.prior_folder import SHIPPED, load_prior
from latency.sample import LatencySample
from search.spaces.portrait.space import PortraitSpace

MAX_BYTES = 4_000_000


def nets(count: int, seed: int) -> list[OperatorGraph]:
    space = PortraitSpace()
    return [space.lower(architecture) for architecture in space.sample(count, Random(seed))]


def invented(graphs: list[OperatorGraph]) -> list[LatencySample]:
    """A hypothetical device: bandwidth counts for more than arithmetic, and each operator costs something."""
    return [
        LatencySample(
            f"{number}",
            graph,
            sum(each.flops / 2e7 + (each.bytes_read + each.bytes_written) / 4e6 + 0.01 for each in graph.operators),
        )
        for number, graph in enumerate(graphs)
    ]


def test_it_is_small_and_complete() -> None:
    prior = load_prior(SHIPPED)
    assert len(prior.sources) >= 3
    assert prior.transformer is not None
    assert sum(path.stat().st_size for path in SHIPPED.iterdir() if path.is_file()) < MAX_BYTES


def test_it_lowers_the_error_from_ten_nets() -> None:
    prior, pool, fresh = load_prior(SHIPPED), nets(100, 1), invented(nets(60, 2))
    chosen = [pool[position] for position in informative_nets(prior, pool, 10)]
    errors = []
    for predictor in (FewSamplesPredictor(prior), OperatorCountsPredictor()):
        predictor.fit(invented(chosen))
        predictions = predictor.predict([sample.graph for sample in fresh])
        ratios = [one.latency_ms / sample.latency_ms for one, sample in zip(predictions, fresh, strict=True)]
        errors.append(float(np.mean(np.abs(np.array(ratios) - 1))))
    assert errors[0] < 0.5 * errors[1]
