"""How a network on a graph is trained."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """Adam on all training nodes at once (Velickovic et al., ICLR 2018, section 3.3)."""

    learning_rate: float = 0.005
    weight_decay: float = 5e-4
    dropout: float = 0.6
    """Of the layers' inputs and of the attention weights."""
    patience: int = 100
    """Epochs without a better validation accuracy or loss after which the training ends."""
