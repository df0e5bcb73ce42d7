from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from latseg.pretraining import source_devices
from latseg.workspace_folder import WorkspaceFolder
from tests.latency.graphs import random_graph
from tests.latency.measurements import INFO, measurement


def test_a_device_of_two_workspaces_is_one_device_on_one_scale(tmp_path: Path) -> None:
    """In the second the reference net is noted as twice as slow, and so is everything else."""
    graphs = [random_graph(Random(seed), 12) for seed in range(3)]
    workspaces = [WorkspaceFolder(tmp_path / name) for name in ("first", "second")]
    for workspace, scale, known in zip(workspaces, (1.0, 2.0), ((0, 1), (1, 2)), strict=True):
        with workspace.store() as store:
            store.remember_reference(INFO, scale)
            for place in known:
                taken = replace(measurement(f"net{place}", scale * (1 + place)), nominal_reference_ms=scale)
                store.add_measurement(taken, graphs[place], source="campaign")
    ((info, source),) = source_devices(workspaces, least=1)
    assert info == INFO
    assert [sample.latency_ms for sample in source.samples] == pytest.approx([1.0, 2.0, 3.0])
