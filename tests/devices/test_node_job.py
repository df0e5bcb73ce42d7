"""What a machine of a cluster is asked, without a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.cluster.node_job import NodeJob, NodeModel, RefusedJobError, done, info_of, results_of
from devices.device import Candidate
from devices.measurement import Measurement
from devices.registry import get_device
from foundation.errors import UserError
from latseg.testing.device_contract import FAST
from latseg.testing.nets import saved, small_net
from tests import odd_models as odd


def test_a_machine_describes_its_device() -> None:
    job = NodeJob(device="simulated:noise=0.5", threads=None)
    assert info_of(done(job.model_dump_json())) == get_device("simulated:noise=0.5").info()


def test_a_machine_measures_as_this_one_would(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    candidates = [
        Candidate("still", saved(small_net(), folder / "net.onnx")),
        Candidate("dynamic", saved(small_net(size="side"), tmp_path / "net.onnx"), (("image", (1, 3, 48, 48)),)),
    ]
    models = tuple(NodeModel.of(candidate, ()) for candidate in candidates)
    job = NodeJob(device="simulated", threads=None, models=models, nominal_reference_ms=2.0, protocol=FAST, seed=4)
    here = list(get_device("simulated").measure(candidates, nominal_reference_ms=2.0, protocol=FAST, seed=4))
    assert results_of(done(job.model_dump_json())) == here


def test_files_of_weights_go_along_and_no_name_leaves_the_folder(tmp_path: Path) -> None:
    model, weights = tmp_path / "net.onnx", tmp_path / "net.data"
    model.write_bytes(b"model")
    weights.write_bytes(b"\x00weights")
    sent = NodeModel.of(Candidate("net", model), [weights])
    written = sent.written(tmp_path / "there")
    assert (written.path.read_bytes(), (tmp_path / "there" / "net.data").read_bytes()) == (b"model", b"\x00weights")
    for name in ("../../evil", "sub/../../evil", f"{tmp_path}/evil"):
        evil = sent.model_copy(update={"files": {name: sent.files["net.onnx"]}})
        with pytest.raises(UserError, match="a file below the model's folder"):
            evil.written(tmp_path / "here")
    assert not list(tmp_path.rglob("evil"))


def test_weights_in_a_folder_below_are_measured_with_their_model(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "w.bin").write_bytes(bytes(64))
    candidate = Candidate("net", odd.saved(odd.external_net("sub/w.bin"), tmp_path))
    device = get_device("simulated")
    model = NodeModel.of(candidate, device.parts(candidate.path))
    assert list(model.files) == [candidate.path.name, "sub/w.bin"]
    job = NodeJob(device="simulated", threads=None, models=(model,), protocol=FAST)
    (result,) = results_of(done(job.model_dump_json()))
    assert isinstance(result, Measurement)


def test_weights_elsewhere_are_not_sent(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    model = saved(small_net(), tmp_path / "folder" / "net.onnx")
    with pytest.raises(UserError, match=r"got \.\./w\.bin"):
        NodeModel.of(Candidate("net", model), [model.parent / "../w.bin"])


def test_what_a_machine_refuses_is_told() -> None:
    job = NodeJob(device="telephone", threads=None)
    with pytest.raises(RefusedJobError, match="'telephone'") as refused:
        info_of(done(job.model_dump_json()))
    assert refused.value.remedy == "choose one of these"
