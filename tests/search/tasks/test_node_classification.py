"""Node classification keeps the contract of tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.errors import UserError
from foundation.progress import Progress
from latseg.testing.task_contract import TaskContract
from search.options import DataOptions, TrainingOptions
from search.spaces.citation_graph.space import CitationGraphSpace
from search.spaces.registry import open_space
from search.spaces.space import SearchSpace
from search.tasks.task import Task, TaskOptions
from tests.graphs.small_graph import GRAPH, SIZES

OPTIONS = TaskOptions(DataOptions(source=GRAPH), TrainingOptions(winner_epochs=2))


class TestNodeClassification(TaskContract):
    def make_space(self) -> SearchSpace:
        return CitationGraphSpace(3, **SIZES)

    def make_task(self, space: SearchSpace, folder: Path) -> Task:
        return space.make_task(OPTIONS)


@pytest.mark.parametrize("change", [{"nodes": 61}, {"edges": 139}, {"features": 25}, {"degree": 30}])
def test_a_graph_of_other_sizes_names_the_space_that_fits(change: dict[str, int]) -> None:
    space = CitationGraphSpace(3, **SIZES | change)
    with pytest.raises(UserError, match="--space citation-graph:nodes=60,edges=140,degree=10,features=24") as raised:
        space.make_task(OPTIONS).classes  # noqa: B018
    fitting = open_space(str(raised.value).partition("--space ")[2].partition(" ")[0])
    assert len(fitting.make_task(OPTIONS).classes) == 3


def test_a_degree_of_as_many_steps_costs_the_same() -> None:
    assert CitationGraphSpace(3, **SIZES | {"degree": 15}).make_task(OPTIONS).data == GRAPH


def test_another_training_device_is_refused() -> None:
    options = TaskOptions(DataOptions(source=GRAPH), TrainingOptions(device="cuda"))
    with pytest.raises(UserError, match="training device: got cuda"):
        CitationGraphSpace(3, **SIZES).make_task(options)


def test_the_seed_is_that_of_the_graph_and_of_the_training(tmp_path: Path) -> None:
    space = CitationGraphSpace(3, **SIZES)
    tasks = [space.make_task(TaskOptions(OPTIONS.data, OPTIONS.training, seed)) for seed in (0, 1)]
    hashes = [task.describe()["graph_sha256"] for task in tasks]
    assert [task.fingerprint for task in tasks] == [task.data_fingerprint for task in tasks] == hashes
    assert hashes[0] != hashes[1]


def test_progress_names_the_network(tmp_path: Path) -> None:
    space, moments = CitationGraphSpace(3, **SIZES), list[Progress]()
    net = space.smallest()[0]
    space.make_task(OPTIONS).train(net, checkpoint=tmp_path / "net.safetensors", epochs=1, on_progress=moments.append)
    assert [(moment.stage, moment.done, moment.total) for moment in moments] == [(f"train {net.id}", 1, 1)]
