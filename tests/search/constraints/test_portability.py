"""What a target does not run is never proposed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from devices.backends.qnn.target import QnnTarget
from devices.compiled_target import CompiledTarget
from devices.device import Availability
from devices.device_info import DeviceInfo
from devices.registry import get_device
from devices.support import FileSupport, Verdict
from foundation.errors import UserError
from latency.operators.builders import convolution, elementwise, resize
from latency.operators.operator import Operator, OperatorGraph
from latency.operators.synthesize import to_model
from search.constraints.budgets import Budgets, ParameterBudget
from search.constraints.feasibility import feasibility
from search.constraints.feasible_sampler import feasible_sampler
from search.constraints.infeasible import InfeasibleError, require_feasible
from search.constraints.portability import Portability, form_of
from search.proposals import propose
from search.spaces.portrait.space import PortraitSpace
from search.strategies.registry import make_strategy

SPACE = PortraitSpace(sizes=[(128, 128)])


class Picky(CompiledTarget):
    """Refuses convolutions that are dilated; adds run on the CPU."""

    name, unit = "picky", "npu"

    def __init__(self, refused: str = "dilations") -> None:
        self.refused, self.asked = refused, 0

    def availability(self) -> Availability:
        return Availability(True)

    def info(self) -> DeviceInfo:
        return DeviceInfo("picky", "none", "picky", "1", 1, "float32")

    def compile(self, path: Path, inputs: Mapping[str, NDArray[np.generic]], artifact: Path) -> tuple[str, ...]:
        self.asked += 1
        nodes = onnx.load(path).graph.node
        for attribute in (attribute for node in nodes for attribute in node.attribute):
            if attribute.name == self.refused and max(attribute.ints) > 1:
                raise UserError("net", seen=f"{self.refused} {max(attribute.ints)}", expected="1", remedy="none")
        return tuple("cpu" if node.op_type == "Add" else "npu" for node in nodes)


def dilated(graph: OperatorGraph) -> bool:
    return any(max(operator.attribute("dilations", (1,))) > 1 for operator in graph.operators)  # type: ignore[arg-type]


def graph_of(*operators: Operator) -> OperatorGraph:
    return OperatorGraph(operators, ((-1,),) * len(operators), operators[0].input_shapes)


def budgets(target: CompiledTarget, *, allow_fallback: bool = True) -> Budgets:
    return Budgets(ParameterBudget(10**7), portable=(Portability(target, allow_fallback),))


def test_candidates_with_refused_operators_are_repaired_or_dropped() -> None:
    nets, limits = SPACE.sample(20, Random(0)), budgets(Picky())
    assert sum(dilated(SPACE.lower(net)) for net in nets) > 10
    strategy = make_strategy("random", SPACE, limits, seed=0)
    found = propose(strategy, SPACE, limits, 20, known=(), rng=Random(0))
    assert len(found.feasible) == 20
    assert not any(dilated(SPACE.lower(check.architecture)) for check in found.feasible)
    assert len(found.violating) > 10
    assert {check.violated for check in found.violating} == {("portable:picky",)}
    # Repair takes away what is refused, and not the net.
    assert np.median([c.parameters for c in found.feasible]) > np.median([SPACE.parameters(net) for net in nets]) / 2
    assert not any(dilated(SPACE.lower(net)) for net in feasible_sampler(SPACE, limits)(10, Random(1)))


def test_a_fallback_is_refused_unless_it_is_allowed() -> None:
    add = graph_of(elementwise("Add", ((1, 8, 4, 4), (1, 8, 4, 4))))
    assert Portability(Picky(), allow_fallback=False).refused(add) == 1
    assert Portability(Picky(), allow_fallback=True).refused(add) == 0


def test_the_share_of_refused_operators_counts() -> None:
    plain = convolution((1, 8, 16, 16), 8, kernel=(3, 3))
    odd = convolution((1, 8, 16, 16), 8, kernel=(3, 3), dilations=(2, 2))
    limits = Portability(Picky())
    assert limits.refused(graph_of(plain, odd, odd, plain)) == 0.5
    check = budgets(Picky()).check_many(SPACE, [n for n in SPACE.sample(60, Random(0)) if dilated(SPACE.lower(n))])[0]
    assert 0 < check.refused["portable:picky"] < 1
    assert budgets(Picky()).worst_ratio(check) == 1 + check.refused["portable:picky"]


def test_the_compiler_is_asked_once_for_each_form() -> None:
    target = Picky()
    limits = Portability(target)
    for net in SPACE.sample(40, Random(0)):
        limits.refused(SPACE.lower(net))
    assert target.asked < 80
    before = target.asked
    for net in SPACE.sample(40, Random(0)):
        limits.refused(SPACE.lower(net))
    assert target.asked == before


def test_forms() -> None:
    small, large = (convolution((1, c, 16, 16), c, kernel=(5, 5), group=c) for c in (8, 24))
    assert form_of(small) == form_of(large)
    assert form_of(small) != form_of(convolution((1, 8, 16, 16), 8, kernel=(5, 5)))
    assert form_of(small) != form_of(convolution((1, 8, 16, 16), 8, kernel=(5, 5), group=8, strides=(2, 2)))
    twice, thrice = (resize((1, 8, 4, 4), (1, 8, 4 * factor, 4 * factor)) for factor in (2, 3))
    assert form_of(twice) == form_of(resize((1, 16, 8, 8), (1, 16, 16, 16))) != form_of(thrice)
    same, gate = (elementwise("Mul", ((1, 8, 4, 4), (1, 8, *size))) for size in ((4, 4), (1, 1)))
    assert form_of(same) != form_of(gate)


def test_a_space_without_such_nets_is_infeasible() -> None:
    limits = budgets(Picky(refused="kernel_shape"))
    found = feasibility(SPACE, limits, samples=20)
    assert found.rejected == {"portable:picky": 20}
    with pytest.raises(InfeasibleError, match=r"operators that picky refuses in each net.*--portable"):
        require_feasible(limits, found)


def test_a_budget_that_is_broken_beside_refused_operators_names_both() -> None:
    limits = Budgets(ParameterBudget(1), portable=(Portability(Picky(refused="kernel_shape")),))
    with pytest.raises(InfeasibleError, match=r"picky refuses operators of the closest net, too.*without --portable"):
        require_feasible(limits, feasibility(SPACE, limits, samples=5))


def test_outputs_that_no_rounding_explains_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, device = tmp_path / "net.onnx", get_device("openvino")
    onnx.save(to_model(graph_of(convolution((1, 8, 16, 16), 8, kernel=(3, 3)))), path)
    answer = FileSupport(Verdict.SUPPORTED, outputs=(np.full((1, 8, 16, 16), np.nan, np.float32),))
    monkeypatch.setattr(type(device), "support", lambda *_: answer)
    assert "unlike ONNX Runtime, openvino computes" in Portability(device).fault(path)


def test_a_whole_file_is_asked_by_running_it_on_a_device(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(to_model(graph_of(convolution((1, 8, 16, 16), 8, kernel=(3, 3), dilations=(2, 2)))), path)
    assert Portability(get_device("cpu")).fault(path) == ""
    assert Portability(Picky()).fault(path) == "picky does not run it: dilations 2"


@pytest.mark.targets
@pytest.mark.skipif(not QnnTarget().availability().available, reason="needs `latseg install qnn`")
def test_the_answers_of_a_real_compiler_hold_for_whole_nets(tmp_path: Path) -> None:
    limits = Portability(QnnTarget())
    odd = convolution((1, 16, 32, 32), 16, kernel=(5, 5), strides=(2, 2), dilations=(2, 2), group=16)
    assert limits.refused(graph_of(odd)) == 1
    nets = [SPACE.lower(net) for net in SPACE.sample(12, Random(0))]
    for number, net in enumerate(nets):
        path = tmp_path / f"{number}.onnx"
        onnx.save(to_model(net), path)
        assert (limits.fault(path) == "") == (limits.refused(net) == 0), limits.fault(path)
