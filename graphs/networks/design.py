"""What a layer of a graph neural network is made of (GraphNAS: Gao et al., IJCAI 2020, table 1)."""

from __future__ import annotations

from dataclasses import dataclass

ATTENTIONS = ("const", "gcn", "gat", "sym-gat", "cos", "linear", "gen-linear")
"""How much a node listens to each of its neighbours."""
WITHOUT_HEADS = ("const", "gcn")
"""Attentions that are fixed: several heads of them are one wider head."""
AGGREGATIONS = ("sum", "mean", "max")
"""How the messages of the neighbours become one."""
ACTIVATIONS = ("linear", "relu", "leaky_relu", "elu", "tanh", "sigmoid", "softplus", "relu6")


@dataclass(frozen=True, slots=True)
class LayerDesign:
    """One layer."""

    attention: str
    """Of ``ATTENTIONS``."""
    aggregation: str
    """Of ``AGGREGATIONS``."""
    heads: int
    width: int
    """Numbers for each node and head."""
    activation: str = "linear"
    """Of ``ACTIVATIONS``."""
    concatenated: bool = True
    """Whether the heads stand side by side in the output; else it is their mean."""

    @property
    def outputs(self) -> int:
        """Numbers for each node behind the layer."""
        return self.heads * self.width if self.concatenated else self.width
