"""Training data of predictors: a net's operator graph with its measured times."""

from __future__ import annotations

from dataclasses import dataclass, replace

from latency.operators.operator import OperatorGraph


@dataclass(frozen=True, slots=True)
class KernelTime:
    """Measured time of one fused kernel and the operators it covers.

    Usually one operator; a runtime that fuses further (convolution + residual addition) covers several.
    """

    operators: tuple[int, ...]
    """Positions in the graph."""
    ms: float


@dataclass(frozen=True, slots=True)
class LatencySample:
    """One measured model."""

    label: str
    graph: OperatorGraph
    latency_ms: float
    kernels: tuple[KernelTime, ...] = ()
    """Empty where the runtime reported no operator times."""
    single_operator: bool = False
    """True for the models of the campaign that are no nets: their latency includes what a whole net pays only once; the
    time of their kernels does not, where the profiler measures it."""

    @property
    def alone(self) -> bool:
        """Whether it is the model of one operator."""
        return self.single_operator and len(self.graph.operators) == 1

    @property
    def among_others(self) -> bool:
        """Whether it is a ``neighbourhood``: of its operators, only the inner ones have kernels here."""
        return self.single_operator and not self.alone

    def scaled(self, factor: float) -> LatencySample:
        """The same with every time multiplied."""
        kernels = tuple(KernelTime(kernel.operators, kernel.ms * factor) for kernel in self.kernels)
        return replace(self, latency_ms=self.latency_ms * factor, kernels=kernels)
