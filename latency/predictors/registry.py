"""Predictors by name, imported at first use."""

from __future__ import annotations

from importlib import import_module

from latency.predictors.stored import StoredPredictor

_CLASSES = {
    "arbitrated": "arbitration:ArbitratedPredictor",
    "attention": "attention.predictor:AttentionPredictor",
    "boosted_trees": "additive.boosted_trees:BoostedTreesPredictor",
    "few_samples": "transfer.few_samples:FewSamplesPredictor",
    "graph_convolution": "baselines.net_correction:GraphConvolutionPredictor",
    "kernel_forest": "baselines.kernel_forest:KernelForestPredictor",
    "lookup_table": "additive.lookup_table:LookupTablePredictor",
    "operator_counts": "additive.operator_counts:OperatorCountsPredictor",
    "recurrent": "baselines.net_correction:RecurrentPredictor",
}


def predictor_names() -> tuple[str, ...]:
    """All names, sorted."""
    return tuple(_CLASSES)


def predictor_class(name: str) -> type[StoredPredictor]:
    """The class of this name.

    Raises:
        KeyError: there is none.
    """
    module, _, kind = _CLASSES[name].partition(":")
    found: type[StoredPredictor] = getattr(import_module(f"latency.predictors.{module}"), kind)
    return found
