"""Where the nodes of a user's file run, by what ONNX Runtime says of the nodes that it made of them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from devices.backends.qnn.compiler import _units
from devices.worker.runtime import ModelFailedError


def session(**nodes: list[str]) -> SimpleNamespace:
    """Nodes by provider."""
    parts = [
        SimpleNamespace(
            ep_name=name, get_nodes=lambda names=names: [SimpleNamespace(name=n, op_type="Odd") for n in names]
        )
        for name, names in nodes.items()
    ]
    return SimpleNamespace(get_provider_graph_assignment_info=lambda: parts)


def test_names_lead_back_to_the_users_nodes() -> None:
    found = session(qnn=["user_node_0_token_7", "user_node_2", "x_QuantizeLinear"])
    assert _units(found, 3) == ("npu", "", "npu")


@pytest.mark.parametrize("order", [("qnn", "cpu"), ("cpu", "qnn")])
def test_a_node_of_which_one_part_runs_on_the_cpu_runs_there(order: tuple[str, str]) -> None:
    nodes = {"qnn": ["user_node_0_part4"], "cpu": ["user_node_0"]}
    assert _units(session(**{name: nodes[name] for name in order}), 1) == ("cpu",)


def test_what_belongs_to_no_node_and_runs_on_the_cpu_is_no_secret() -> None:
    with pytest.raises(ModelFailedError, match="Odd would run on the cpu"):
        _units(session(qnn=["user_node_0"], cpu=["x_QuantizeLinear"]), 1)
    assert _units(session(cpu=["x_QuantizeLinear", "user_node_0"]), 1) == ("cpu",)
