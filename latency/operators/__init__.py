"""Operators of a net after fusion: the common language of measurements, predictions and spaces."""

from latency.operators.operator import AttributeValue, Operator, OperatorGraph, Shape

__all__ = ["AttributeValue", "Operator", "OperatorGraph", "Shape"]
