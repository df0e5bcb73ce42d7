"""Predictors by name, imported at first use."""

from __future__ import annotations

from importlib import import_module

from latency.predictors.stored import StoredPredictor

_CLASSES = {
    "arbitrated": "arbitration:ArbitratedPredictor",
    "attention": "attention:AttentionPredictor",
    "boosted_trees": "boosted_trees:BoostedTreesPredictor",
    "few_samples": "few_samples:FewSamplesPredictor",
    "graph_convolution": "graph_convolution:GraphConvolutionPredictor",
    "kernel_forest": "kernel_forest:KernelForestPredictor",
    "lookup_table": "lookup_table:LookupTablePredictor",
    "operator_counts": "operator_counts:OperatorCountsPredictor",
    "recurrent": "recurrent:RecurrentPredictor",
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
