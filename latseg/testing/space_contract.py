"""The conformance suites of search spaces. Subclass one, name the class ``Test...``, and say how to make the space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from export.to_onnx import export_module
from foundation.errors import UserError
from latency.operators.from_onnx import from_onnx
from latency.operators.synthesize import to_model
from search.architecture import Architecture
from search.options import DataOptions
from search.spaces.plan_space import PlanSpace
from search.spaces.space import SearchSpace
from search.tasks.task import TaskOptions
from segmentation.networks.plan import INPUT, Plan
from segmentation.supernet.extents import extents


class SpaceContract(ABC):
    """The contract of ``search.spaces.space.SearchSpace``."""

    data: str
    """Data for the space's task, as small as possible."""

    @abstractmethod
    def make_space(self, classes: int = 2) -> SearchSpace:
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

    def test_slots_describe_the_choices(self, space: SearchSpace) -> None:
        samples = space.sample(300, Random(0))
        assert {tuple(name for name, _ in one.choices) for one in samples} == {tuple(s.name for s in space.slots)}
        for slot in space.slots:
            assert len(slot.labels) in (0, slot.choices)
            chosen = {one[slot.name] for one in samples}
            assert chosen <= set(range(slot.choices))
            assert len(chosen) > 1 or slot.choices == 1 or slot.name in self.fixed_slots()

    def fixed_slots(self) -> set[str]:
        """Slots to which the options of the space leave one choice."""
        return set()

    def test_json_round_trip(self, samples: list[Architecture]) -> None:
        assert [Architecture.from_json(architecture.to_json()) for architecture in samples] == samples

    def test_any_choices_name_a_member(self, space: SearchSpace, samples: list[Architecture]) -> None:
        assert [space.nearest(dict(architecture.choices)) for architecture in samples] == samples
        rng = Random(8)
        found = [
            space.nearest({slot.name: rng.randrange(slot.choices) for slot in space.slots}) for _ in range(len(samples))
        ]
        for architecture in found:
            space.validate(architecture)
        assert len(set(found)) > min(len(found), space.size()) // 3

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

    def test_mutation_reaches_many_architectures(self, space: SearchSpace, samples: list[Architecture]) -> None:
        rng, current, seen = Random(2), samples[0], set()
        for _ in range(50):
            current = space.mutate(current, rng)
            seen.add(current)
        assert len(seen) > min(25, space.size() // 4)

    def test_chains_of_smaller_nets_end(self, space: SearchSpace, samples: list[Architecture]) -> None:
        rng = Random(3)
        for architecture in samples[:10]:
            last, seen = architecture, {architecture}
            while neighbours := space.smaller(last):
                last = rng.choice(neighbours)
                space.validate(last)
                assert last not in seen
                seen.add(last)
            assert space.parameters(last) <= space.parameters(architecture)
            assert space.lower(last).flops <= space.lower(architecture).flops

    def test_some_smaller_nets_are_sampled(self, space: SearchSpace, samples: list[Architecture]) -> None:
        for architecture in samples[:10]:
            everyone = set(space.smaller(architecture))
            for count in (1, 3, len(everyone)):
                some = space.some_smaller(architecture, count, Random(1))
                assert some == space.some_smaller(architecture, count, Random(1))
                assert len(set(some)) == len(some) == min(count, len(everyone))
                assert set(some) <= everyone
        sampled = [space.some_smaller(samples[0], 1, Random(seed)) for seed in range(30)]
        assert len({one for some in sampled for one in some}) > 1 or len(space.smaller(samples[0])) < 2
        for smallest in space.smallest():
            assert len(space.some_smaller(smallest, 2, Random(0))) == min(2, len(space.smaller(smallest)))

    def test_nothing_is_smaller_than_the_smallest(self, space: SearchSpace, samples: list[Architecture]) -> None:
        smallest = space.smallest()
        for architecture in smallest:
            space.validate(architecture)
        parameters = min(space.parameters(architecture) for architecture in smallest)
        flops = min(space.lower(architecture).flops for architecture in smallest)
        for architecture in samples:
            assert space.parameters(architecture) >= parameters
            assert space.lower(architecture).flops >= flops

    def test_others_are_refused(self, space: SearchSpace, samples: list[Architecture]) -> None:
        slot = samples[0].choices[0][0]
        others = [
            Architecture("elsewhere", samples[0].choices),
            Architecture(space.name, samples[0].choices[1:]),
            samples[0].replaced({slot: 10_000}),
            samples[0].replaced({slot: -1}),
        ]
        for other in others:
            with pytest.raises(UserError, match="architecture"):
                space.validate(other)

    def test_nets_trained_in_advance_are_nets_of_the_space_with_shares(self, space: SearchSpace) -> None:
        known = space.trained_nets()
        if known is not None:
            assert len(set(known.nets)) == len(known.nets) == len(known.qualities) > 0
            assert all(0 <= quality <= 1 for quality in known.qualities)
            for net in known.nets:
                assert net.space == space.name
                assert space.lower(net).operators

    def test_size_is_at_least_what_was_seen(self, space: SearchSpace) -> None:
        assert space.size() >= len(set(space.sample(500, Random(0)))) > min(100, space.size() // 2)

    @pytest.mark.parametrize("classes", [2, 5])
    def test_lowering_equals_the_exported_net(self, classes: int, tmp_path: Path) -> None:
        space = self.make_space(classes)
        for architecture in space.sample(6 if classes == 2 else 2, Random(classes)):
            check_lowering(space, self.data, architecture, tmp_path)

    def test_lowered_graphs_can_be_written_as_models(self, space: SearchSpace, samples: list[Architecture]) -> None:
        for architecture in samples[:12]:
            graph = space.lower(architecture)
            assert from_onnx(to_model(graph)) == graph


class PlanSpaceContract(SpaceContract):
    """The contract of ``search.spaces.plan_space.PlanSpace``."""

    data = "synthetic:4"

    @abstractmethod
    def make_space(self, classes: int = 2) -> PlanSpace:
        """The space under test."""

    def test_different_architectures_are_different_nets(self) -> None:
        space, rng = self.make_space(), Random(4)
        samples = space.sample(60, Random(5))
        everyone = {other for architecture in samples for other in space.smaller(architecture)} | set(samples)
        everyone |= {space.mutate(architecture, rng) for architecture in samples for _ in range(5)}
        nets = Counter((space.input_size(other), anonymous(space.plan(other))) for other in everyone)
        assert max(nets.values()) == 1

    @pytest.mark.parametrize("classes", [2, 3])
    def test_plans_end_in_logits_of_the_inputs_size(self, classes: int) -> None:
        space = self.make_space(classes)
        for architecture in space.sample(20, Random(6)):
            plan, size = space.plan(architecture), space.input_size(architecture)
            assert plan.classes == classes
            assert plan.sizes(*size)[plan.layers[-1].name] == size

    def test_the_widest_plans_contain_every_layer(self) -> None:
        space = self.make_space(3)
        widest = extents(space.widest())
        for name, extent in extents(space.plan(one) for one in space.sample(200, Random(7))).items():
            largest = widest[name]
            assert extent.kernel <= largest.kernel
            assert extent.out_channels <= largest.out_channels
            assert all(channels <= largest.inputs[segment] for segment, channels in extent.inputs.items())


def anonymous(plan: Plan) -> Plan:
    """The plan with its layers named by their positions: equal nets have equal anonymous plans."""
    layers = (*plan.layers, *plan.unread)
    names = {INPUT: INPUT} | {layer.name: str(position) for position, layer in enumerate(layers)}
    renamed = tuple(
        replace(layer, name=names[layer.name], inputs=tuple(names[name] for name in layer.inputs)) for layer in layers
    )
    split = len(plan.layers)
    return Plan(renamed[:split], plan.input_channels, unread=renamed[split:])


def check_lowering(space: SearchSpace, data: str, architecture: Architecture, folder: Path) -> None:
    """Asserts that ``lower`` and ``parameters`` agree with the module that the space's task builds."""
    task = space.make_task(TaskOptions(DataOptions(source=data)))
    module, inputs = task.build(architecture), task.example_inputs(architecture)
    path = export_module(module, folder / "net.onnx", inputs)
    assert space.lower(architecture) == from_onnx(path), architecture.to_json()
    assert space.parameters(architecture) == sum(parameter.numel() for parameter in module.parameters())
