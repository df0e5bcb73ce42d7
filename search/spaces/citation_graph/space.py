"""Graph neural networks of two layers, each with an attention, an aggregation, an activation, heads and a width.

The space of GraphNAS (Gao et al., "Graph neural architecture search", IJCAI 2020, section 3.1) without its widest
layers. The width of the second layer is the number of classes, and its heads are averaged, as in a graph attention
network; the output of its activation is the logits.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING

from pydantic import Field
from typing_extensions import override

from foundation.errors import UserError
from foundation.plugin_options import PluginOptions
from graphs.graph_size import GraphSize
from graphs.networks.design import ACTIVATIONS, AGGREGATIONS, ATTENTIONS, WITHOUT_HEADS, LayerDesign
from latency.operators.operator import OperatorGraph
from search.architecture import Architecture
from search.spaces.citation_graph.lowering import lower
from search.spaces.space import SearchSpace, Slot

if TYPE_CHECKING:
    from search.tasks.task import Task, TaskOptions

HEADS = (1, 2, 4, 8)
WIDTHS = (4, 8, 16, 32, 64)
_OF_CHOICES = {
    "attention": ATTENTIONS,
    "aggregation": AGGREGATIONS,
    "heads": tuple(map(str, HEADS)),
    "width": tuple(map(str, WIDTHS)),
    "activation": ACTIVATIONS,
}
_DECISIONS = tuple((layer, name) for layer in (1, 2) for name in _OF_CHOICES if (layer, name) != (2, "width"))
SLOTS = tuple(
    Slot(f"layer{layer}.{name}", len(_OF_CHOICES[name]), ordered=name in ("heads", "width"), labels=_OF_CHOICES[name])
    for layer, name in _DECISIONS
)
_SCORE_WEIGHTS = {"gat": 2, "sym-gat": 2, "cos": 2, "linear": 1, "gen-linear": 2}
"""Vectors that an attention multiplies the numbers of each head by."""
_FIXED = tuple(ATTENTIONS.index(name) for name in WITHOUT_HEADS)


class CitationGraphSpace(SearchSpace):
    """The options are the sizes of the graph, which decide what a network costs; by default those of Cora."""

    name = "citation-graph"
    version = 2

    class Options(PluginOptions):
        """Sizes of the graph."""

        nodes: int = Field(default=2708, ge=40)
        edges: int = Field(default=5278, ge=1)
        degree: int = Field(default=168, ge=1)
        """Largest number of neighbours of a node."""
        features: int = Field(default=1433, ge=1)

    def __init__(self, classes: int = 2, **options: int) -> None:
        super().__init__(classes)
        self.graph = GraphSize(**self.Options.model_validate(options).model_dump())

    def designs(self, architecture: Architecture) -> tuple[LayerDesign, LayerDesign]:
        """The two layers."""
        chosen = {slot.name: slot.labels[architecture[slot.name]] for slot in SLOTS}

        def layer(number: int, width: int, *, concatenated: bool) -> LayerDesign:
            attention, aggregation, heads, activation = (
                chosen[f"layer{number}.{name}"] for name in ("attention", "aggregation", "heads", "activation")
            )
            return LayerDesign(attention, aggregation, int(heads), width, activation, concatenated)

        first = layer(1, int(chosen["layer1.width"]), concatenated=True)
        return first, layer(2, self.classes, concatenated=False)

    @property
    @override
    def slots(self) -> tuple[Slot, ...]:
        return SLOTS

    @override
    def size(self) -> int:
        learned, fixed = len(ATTENTIONS) - len(_FIXED), len(_FIXED)
        attended = learned * len(HEADS) + fixed
        return attended**2 * len(AGGREGATIONS) ** 2 * len(WIDTHS) * len(ACTIVATIONS) ** 2

    @override
    def sample(self, count: int, rng: Random) -> list[Architecture]:
        drawn = [{slot.name: rng.randrange(slot.choices) for slot in SLOTS} for _ in range(count)]
        return [_canonical(choices) for choices in drawn]

    @override
    def nearest(self, choices: Mapping[str, int]) -> Architecture:
        return _canonical(choices)

    @override
    def mutate(self, architecture: Architecture, rng: Random) -> Architecture:
        mutant = architecture
        while mutant == architecture:
            slot = rng.choice(SLOTS)
            mutant = _canonical({**dict(architecture.choices), slot.name: rng.randrange(slot.choices)})
        return mutant

    @override
    def crossover(self, first: Architecture, second: Architecture, rng: Random) -> Architecture:
        return _canonical({slot: rng.choice((choice, second[slot])) for slot, choice in first.choices})

    @override
    def smaller(self, architecture: Architecture) -> list[Architecture]:
        ordered = [(slot.name, architecture[slot.name]) for slot in SLOTS if slot.ordered]
        changed = [{name: choice - 1} for name, choice in ordered if choice]
        plain = [{f"layer{layer}.attention": 0, f"layer{layer}.heads": 0} for layer in (1, 2)]
        changed += [each for each in plain if architecture.replaced(each) != architecture]
        return [architecture.replaced(each) for each in changed]

    @override
    def smallest(self) -> list[Architecture]:
        plain = _canonical(dict.fromkeys((slot.name for slot in SLOTS), 0))
        largest = AGGREGATIONS.index("max")  # needs no factors
        return [plain, plain.replaced({"layer1.aggregation": largest, "layer2.aggregation": largest})]

    @override
    def validate(self, architecture: Architecture) -> None:
        choices = dict(architecture.choices)
        known = architecture.space == self.name and list(choices) == [slot.name for slot in SLOTS]
        inside = known and all(0 <= choices[slot.name] < slot.choices for slot in SLOTS)
        if not inside or _canonical(choices) != architecture:
            raise UserError(
                "architecture", seen=architecture.to_json(), expected=f"a member of {self.name}",
                remedy="take one from `latseg describe --json` or from a run's trials",
            )  # fmt: skip

    @override
    def parameters(self, architecture: Architecture) -> int:
        inputs, found = self.graph.features, 0
        for design in self.designs(architecture):
            numbers = design.heads * design.width
            found += inputs * numbers + _SCORE_WEIGHTS.get(design.attention, 0) * numbers + design.outputs
            found += design.width if design.attention == "gen-linear" else 0
            inputs = design.outputs
        return found

    @override
    def lower(self, architecture: Architecture) -> OperatorGraph:
        return lower(self.designs(architecture), self.graph)

    @override
    def make_task(self, options: TaskOptions) -> Task:
        from search.tasks.node_classification import NodeClassification

        return NodeClassification(self, options)


def _canonical(choices: Mapping[str, int]) -> Architecture:
    """Attention that is not learned has one head."""
    chosen = {slot.name: choices[slot.name] for slot in SLOTS}
    for layer in (1, 2):
        if chosen[f"layer{layer}.attention"] in _FIXED:
            chosen[f"layer{layer}.heads"] = 0
    return Architecture(CitationGraphSpace.name, tuple(chosen.items()))
