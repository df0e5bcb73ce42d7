"""What every search space keeps to. A test class inherits from ``SpaceContract`` and says which space it is about."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from export.to_onnx import export_onnx
from foundation.errors import UserError
from latency.operators.from_onnx import from_onnx
from latency.operators.synthesize import to_model
from search.architecture import Architecture
from search.spaces.space import SearchSpace
from segmentation.networks.network import Network
from segmentation.networks.plan import INPUT, Plan


def anonymous(plan: Plan) -> Plan:
    """The plan with its layers called by their positions: equal nets have equal anonymous plans."""
    names = {INPUT: INPUT} | {layer.name: str(position) for position, layer in enumerate(plan.layers)}
    return Plan(
        tuple(
            replace(layer, name=names[layer.name], inputs=tuple(names[name] for name in layer.inputs))
            for layer in plan.layers
        ),
        plan.input_channels,
    )


class SpaceContract(ABC):
    """The contract of ``search.spaces.space.SearchSpace``."""

    @abstractmethod
    def make_space(self) -> SearchSpace:
        """The space under test."""

    @pytest.fixture
    def space(self) -> SearchSpace:
        return self.make_space()

    @pytest.fixture
    def samples(self, space: SearchSpace) -> list[Architecture]:
        return space.sample(60, Random(5))

    def test_samples_are_valid_and_reproducible(self, space: SearchSpace, samples: list[Architecture]) -> None:
        assert len(samples) == 60
        for architecture in samples:
            assert architecture.space == space.name
            space.validate(architecture)
        assert space.sample(60, Random(5)) == samples
        assert space.sample(60, Random(6)) != samples

    def test_json_round_trip(self, samples: list[Architecture]) -> None:
        assert [Architecture.from_json(architecture.to_json()) for architecture in samples] == samples

    def test_mutants_are_other_members(self, space: SearchSpace, samples: list[Architecture]) -> None:
        rng = Random(1)
        for architecture in samples:
            mutant = space.mutate(architecture, rng)
            space.validate(mutant)
            assert mutant != architecture

    def test_children_are_members(self, space: SearchSpace, samples: list[Architecture]) -> None:
        rng = Random(1)
        children = [space.crossover(a, b, rng) for a, b in zip(samples[::2], samples[1::2], strict=True)]
        for child in children:
            space.validate(child)
        assert space.crossover(samples[0], samples[0], rng) == samples[0]
        assert set(children) - set(samples)

    def test_mutation_reaches_many_neighbours(self, space: SearchSpace, samples: list[Architecture]) -> None:
        rng = Random(2)
        assert len({space.mutate(samples[0], rng) for _ in range(50)}) > 25

    def test_chains_of_smaller_nets_end(self, space: SearchSpace, samples: list[Architecture]) -> None:
        rng = Random(3)
        for architecture in samples[:10]:
            last, seen = architecture, {architecture}
            while neighbours := space.smaller(last):
                last = rng.choice(neighbours)
                space.validate(last)
                assert last not in seen
                seen.add(last)
            assert space.plan(last).parameters() <= space.plan(architecture).parameters()
            assert space.lower(last).flops <= space.lower(architecture).flops

    def test_nothing_is_smaller_than_the_smallest(self, space: SearchSpace, samples: list[Architecture]) -> None:
        smallest = space.smallest()
        for architecture in smallest:
            space.validate(architecture)
        parameters = min(space.plan(architecture).parameters() for architecture in smallest)
        flops = min(space.lower(architecture).flops for architecture in smallest)
        for architecture in samples:
            assert space.plan(architecture).parameters() >= parameters
            assert space.lower(architecture).flops >= flops

    def test_different_architectures_are_different_nets(self, space: SearchSpace, samples: list[Architecture]) -> None:
        rng = Random(4)
        everyone = {other for architecture in samples for other in space.smaller(architecture)} | set(samples)
        everyone |= {space.mutate(architecture, rng) for architecture in samples for _ in range(5)}
        nets = Counter((space.input_size(other), anonymous(space.plan(other))) for other in everyone)
        assert max(nets.values()) == 1

    def test_strangers_are_refused(self, space: SearchSpace, samples: list[Architecture]) -> None:
        slot = samples[0].choices[0][0]
        strangers = [
            Architecture("elsewhere", samples[0].choices),
            Architecture(space.name, samples[0].choices[1:]),
            samples[0].replaced({slot: 10_000}),
            samples[0].replaced({slot: -1}),
        ]
        for stranger in strangers:
            with pytest.raises(UserError, match="architecture"):
                space.validate(stranger)

    def test_size_is_at_least_what_was_seen(self, space: SearchSpace) -> None:
        assert space.size() >= len(set(space.sample(500, Random(0)))) > 100

    def test_lowering_equals_the_exported_net(
        self, space: SearchSpace, samples: list[Architecture], tmp_path: Path
    ) -> None:
        for architecture in samples[:12]:
            check_lowering(space, architecture, tmp_path, classes=2)
        check_lowering(space, samples[12], tmp_path, classes=5)

    def test_lowered_graphs_can_be_written_as_models(self, space: SearchSpace, samples: list[Architecture]) -> None:
        for architecture in samples[:12]:
            graph = space.lower(architecture)
            assert from_onnx(to_model(graph)) == graph


def check_lowering(space: SearchSpace, architecture: Architecture, folder: Path, *, classes: int) -> None:
    """Holds ``lower`` against ``from_onnx`` of the net that was built and exported."""
    height, width = space.input_size(architecture)
    plan = space.plan(architecture, classes=classes)
    path = export_onnx(Network(plan), folder / "net.onnx", height=height, width=width)
    graph = space.lower(architecture, classes=classes)
    assert graph == from_onnx(path), architecture.to_json()
    assert graph.operators[-1].output_shapes == ((1, classes, height, width),)
