"""The encoder of a segmentation network as a classifier of whole pictures."""

from __future__ import annotations

from segmentation.networks.plan import Plan
from segmentation.networks.plan_builder import PlanBuilder


def classifier_plan(plan: Plan, classes: int) -> Plan:
    """The encoder of a plan, the mean over height and width, and a linear layer; logits: batch x classes x 1 x 1.

    The encoder's layers keep their positions, so that its trained weights fit (``Network``).

    Raises:
        ValueError: the plan does not say where its encoder ends.
    """
    names = [layer.name for layer in plan.layers]
    channels = plan.channels()
    builder = PlanBuilder(plan.input_channels)
    for layer in plan.layers[: names.index(plan.encoder) + 1]:
        builder.add(layer, channels[layer.name])
    pooled = builder.pool("classifier.pool", plan.encoder)
    builder.conv("classifier.logits", pooled, classes, normalise=False)
    return builder.plan(encoder=plan.encoder)
