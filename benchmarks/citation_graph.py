"""The best network that a search in ``citation-graph`` finds within budgets, beside GCN and GAT, by the same recipe.

Profiles and fits the device ``cpu``, searches, certifies, and trains the winner, the GCN (Kipf & Welling, ICLR 2017)
and the GAT (Velickovic et al., ICLR 2018) with ten seeds each. Candidates and weights are chosen on the validation
nodes; figures are those of the test nodes. Writes ``benchmarks/results/citation_graph.json``. What was measured and
trained in the workspace is not done again; the result is written before the search, too.

    python citation_graph.py --graph cora:PATH --workspace FOLDER
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import latseg
from export.to_onnx import export_module
from graphs.data.graph import Graph
from graphs.data.registry import open_graph
from graphs.networks.exported import exported_network
from graphs.networks.halving_tree import HalvingTree
from graphs.training.recipe import Recipe
from graphs.training.train import Training, accuracy
from latseg.device_handle import DeviceHandle
from provenance import RESULTS, provenance, write_result
from search.architecture import Architecture
from search.spaces.citation_graph.space import CitationGraphSpace

RESULT = RESULTS / "citation_graph.json"
WIDTH = 64
"""Numbers of each message where two ways of adding them are timed."""
BASELINES: dict[str, dict[str, str]] = {
    "GCN": {
        "layer1.attention": "gcn", "layer1.aggregation": "sum", "layer1.heads": "1", "layer1.width": "16",
        "layer1.activation": "relu", "layer2.attention": "gcn", "layer2.aggregation": "sum", "layer2.heads": "1",
        "layer2.activation": "linear",
    },
    "GAT": {
        "layer1.attention": "gat", "layer1.aggregation": "sum", "layer1.heads": "8", "layer1.width": "8",
        "layer1.activation": "elu", "layer2.attention": "gat", "layer2.aggregation": "sum", "layer2.heads": "1",
        "layer2.activation": "linear",
    },
}  # fmt: skip
GOALS = {"GCN": 0.81, "GAT": 0.83}
"""Mean test accuracy of their papers on Cora, rounded; each with the recipe of its own."""


def named(space: CitationGraphSpace, labels: dict[str, str]) -> Architecture:
    """The architecture with these choices."""
    return space.nearest({slot.name: slot.labels.index(labels[slot.name]) for slot in space.slots})


def search(workspace: latseg.Workspace, options: argparse.Namespace) -> dict[str, Any]:
    """Profiles, fits, searches; the best certified network and its bundle."""
    started, device = time.monotonic(), workspace.device("cpu", threads=1)
    profiled = device.profile(models=options.models, space=CitationGraphSpace.name)
    fitted = device.fit()
    run = workspace.search(
        budgets={"cpu": options.max_latency},
        max_parameters=options.max_params,
        space=CitationGraphSpace.name,
        data=options.graph,
        evaluator=f"training:epochs={options.epochs}",
        trials=options.trials,
        training=latseg.TrainingOptions(threads=1),
        threads=1,
    )
    winner = run.winners[0]
    bundle = run.train(winner).export(formats=["onnx"])
    return {
        "profiled_nets": profiled.models,
        "held_out_mape_percent": {name: each.mape_percent for name, each in fitted.scores.items()},
        "coverage_of_bound": fitted.coverage,
        "trials": len(run.trials),
        "winner": dict(winner.architecture.choices),
        "predicted_ms": winner.predicted_ms["cpu"],
        "upper_ms": winner.upper_ms["cpu"],
        "certified": bundle.certified,
        "refusals": list(bundle.refusals),
        "verified": bundle.verify().ok,
        "seconds": round(time.monotonic() - started),
    }


def trained(graph: Graph, net: Architecture, options: argparse.Namespace) -> list[float]:
    """Test accuracy with each seed."""
    found, designs = [], CitationGraphSpace(graph.classes).designs(net)
    for seed in range(options.seeds):
        checkpoint = options.workspace / "trainings" / f"{net.id}-{seed}.safetensors"
        network, _ = Training(graph, designs, Recipe(), seed).run(options.final_epochs, checkpoint)
        found.append(accuracy(network, graph, "test")[0])
        print(net.id, seed, found[-1], file=sys.stderr)
    return found


def row(
    name: str, graph: Graph, net: Architecture, device: DeviceHandle, options: argparse.Namespace
) -> dict[str, Any]:
    """What the network costs and reaches."""
    space = CitationGraphSpace(graph.classes)
    network = exported_network(graph, space.designs(net))
    latency_ms = device.measure(network, torch.from_numpy(graph.features)).latency_ms
    found = trained(graph, net, options)
    return {
        "name": name,
        "choices": {slot.name: slot.labels[net[slot.name]] for slot in space.slots},
        "parameters": space.parameters(net),
        "latency_ms": latency_ms,
        "test_accuracy": {"mean": float(np.mean(found)), "deviation": float(np.std(found, ddof=1)), "seeds": found},
    }


class ByIndex(nn.Module):
    """Sums over the neighbours as torch exports them."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.nodes, self.receivers = graph.size.nodes, torch.from_numpy(graph.messages[1])

    def forward(self, messages: Tensor) -> Tensor:
        """Nodes x numbers."""
        index = self.receivers[:, None].expand(-1, messages.shape[1])
        return messages.new_zeros(self.nodes, messages.shape[1]).scatter_add(0, index, messages)


class ByHalving(nn.Module):
    """The same as ``citation-graph`` exports them."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.tree = HalvingTree(graph.messages[1], graph.size)

    def forward(self, messages: Tensor) -> Tensor:
        """Nodes x numbers."""
        return self.tree.sum(messages * self.tree.halves)


def sums(graph: Graph, device: DeviceHandle) -> dict[str, Any]:
    """Latency and size of the two ways of adding messages."""
    messages, found = torch.rand(graph.size.messages, WIDTH), {}
    with tempfile.TemporaryDirectory() as folder:
        for module in (ByIndex(graph), ByHalving(graph)):
            path = export_module(module, Path(folder) / "sum.onnx", {"messages": messages})
            size, ms = path.stat().st_size, device.measure(path).latency_ms
            found[type(module).__name__] = {"latency_ms": ms, "bytes": size}
    return found


def goals_of(rows: list[dict[str, Any]], found: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The accuracies of the papers, a certificate, and a network that is no worse than the better one of them."""
    mean = {each["name"]: each["test_accuracy"]["mean"] for each in rows}
    least = dict(GOALS)
    if found is not None:
        least["found"] = max(mean[name] for name in BASELINES)
    goals = [
        {"what": f"{name}: mean test accuracy", "goal": f">= {goal:g}", "value": mean[name], "met": mean[name] >= goal}
        for name, goal in least.items()
    ]
    if found is not None:
        certified = found["certified"] and found["verified"]
        goals.append({"what": "the winner is certified", "goal": "yes", "value": certified, "met": certified})
    return goals


def write(path: Path, rows: list[dict[str, Any]], timed: dict[str, Any], found: dict[str, Any] | None = None) -> None:
    """Writes what there is; without a search ``found`` is None."""
    document = {"benchmark": "citation_graph", "rows": rows, "search": found}
    goals = goals_of(rows, found)
    write_result(path, {**document, "sums_over_neighbours": timed, "goals": goals} | provenance())


def main() -> None:
    """Searches, trains, writes the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", required=True, help="of the sizes of Cora")
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--models", type=int, default=40, help="nets to profile")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=50, help="of a trial")
    parser.add_argument("--final-epochs", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--max-latency", default="5ms")
    parser.add_argument("--max-params", default="0.1M")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    workspace, graph = latseg.Workspace(options.workspace, progress=True), open_graph(options.graph)
    device, space = workspace.device("cpu", threads=1), CitationGraphSpace(graph.classes)
    rows = [row(name, graph, named(space, labels), device, options) for name, labels in BASELINES.items()]
    timed = {"numbers": WIDTH, **sums(graph, device)}
    write(options.output, rows, timed)
    found = search(workspace, options)
    rows.append(row("found", graph, Architecture(space.name, tuple(found["winner"].items())), device, options))
    write(options.output, rows, timed, found)


if __name__ == "__main__":
    main()
