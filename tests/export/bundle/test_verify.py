from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from devices.device import Candidate, Device
from devices.protocol import MeasurementProtocol
from devices.registry import get_device
from export.bundle import certificate_checks
from export.bundle.certificate import Certificate
from export.bundle.check import Check, VerifyResult
from export.bundle.decision import ROUND_SIZE, ROUNDS
from export.bundle.examples import read_example
from export.bundle.manifest import Manifest, read_manifest
from export.bundle.model_checks import model_faults
from export.bundle.verify import verify_bundle
from foundation.errors import DeviceUnavailableError, UserError
from latseg.bundle import Bundle
from tests.export.bundle.tampering import fit_hashes
from tests.export.conftest import certificate_for
from tests.export.runtime_device import INFO, RuntimeDevice

Make = Callable[..., Manifest]


def verify(folder: Path, found: RuntimeDevice | None = None, **settings: object) -> VerifyResult:
    """With ``found`` as what the names of devices stand for."""

    def get_device(name: str, /, *, threads: int = 1) -> Device:
        return found or RuntimeDevice(name=name)

    return verify_bundle(folder, get_device=get_device, **settings)


def failures(result: VerifyResult) -> list[Check]:
    assert result.ok is (not [check for check in result.checks if not check.ok])
    return [check for check in result.checks if not check.ok]


def edit(folder: Path, change: Callable[[dict], None]) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    change(content)
    (folder / "manifest.json").write_text(json.dumps(content))


def test_good_bundle(bundle: Path) -> None:
    seen: list[Check] = []
    result = verify(bundle, on_check=seen.append)
    assert failures(result) == []
    assert tuple(seen) == result.checks
    assert [check.name for check in result.checks] == [
        "manifest",
        "files",
        *[f"hash of {n}" for n in ("model.onnx", "model_dynamic.onnx", "model_uint8.onnx")],
        *[f"hash of {n}" for n in ("parity.safetensors", "segment.py", "README.md")],
        "manifest against itself",
        "manifest against README.md",
        "program segment.py",
        "manifest against models",
        "parity of model.onnx (onnx)",
        "parity of model_dynamic.onnx (onnx-dynamic)",
        "parity of model_uint8.onnx (onnx-uint8)",
        "parity of model.onnx (openvino)",
        "certificate for cpu",
        "budget on cpu",
    ]


def test_a_program_that_this_version_does_not_write_is_named(bundle: Path) -> None:
    def details() -> dict[str, str]:
        return {check.name: check.detail for check in verify(bundle, measure=False).checks}

    assert details()["program segment.py"] == "the one that this version writes"
    (bundle / "segment.py").write_text("print('harm')")
    fit_hashes(bundle)
    assert details()["program segment.py"].startswith("not the one that this version writes: read it")


@pytest.mark.parametrize(("share", "faults"), [(0.0, 0), (1.04, 0), (1.06, 1), (-0.1, 1)])
def test_processor_time_is_at_most_that_of_the_threads_and_may_be_unknown(
    bundle: Path, share: float, faults: int
) -> None:
    edit(bundle, lambda content: content["certificates"][0].update(cpu_per_wall=share))
    found = failures(verify(bundle, measure=False))
    assert [check.name for check in found] == ["certificate for cpu"] * faults
    assert all("processor time was" in check.detail for check in found)


def test_without_measuring(bundle: Path) -> None:
    result = verify(bundle, measure=False)
    assert result.ok
    assert not any(check.name.startswith("budget") for check in result.checks)


@pytest.mark.parametrize("name", ["model.onnx", "model_uint8.onnx", "parity.safetensors", "segment.py", "README.md"])
def test_one_changed_byte(bundle: Path, name: str) -> None:
    content = bytearray((bundle / name).read_bytes())
    content[-1] ^= 1
    (bundle / name).write_bytes(content)
    assert f"hash of {name}" in [check.name for check in failures(verify(bundle, measure=False))]


@pytest.mark.parametrize("key", ["versions", "quality"])
def test_the_readme_says_the_whole_of_each_line(bundle: Path, key: str) -> None:
    """What is left after the cut still stands in README.md, as a part of a line."""

    def cut(manifest: dict) -> None:
        if key == "versions":
            del manifest["versions"][min(manifest["versions"])]
        else:
            manifest["quality"][0]["data"] = manifest["quality"][0]["data"][:-1]

    edit(bundle, cut)
    assert [check.name for check in failures(verify(bundle, measure=False))] == ["manifest against README.md"]


def test_changed_model_is_not_run(bundle: Path) -> None:
    (bundle / "model.onnx").write_bytes(b"anything")
    device = RuntimeDevice()
    details = {check.name: check.detail for check in failures(verify(bundle, device))}
    assert "not run" in details["parity of model.onnx (onnx)"]
    assert "not measured" in details["budget on cpu"]
    assert device.nominal_times == []


def test_missing_and_extra_files(bundle: Path) -> None:
    (bundle / "segment.py").unlink()
    (bundle / "more").mkdir()
    (bundle / "more" / "virus.py").write_text("")
    (failed,) = failures(verify(bundle, measure=False))
    assert failed == Check("files", False, "segment.py is missing; more/virus.py is not of the bundle")


def test_missing_sample(bundle: Path) -> None:
    (bundle / "parity.safetensors").unlink()
    assert "parity" in [check.name for check in failures(verify(bundle, measure=False))]
    (bundle / "parity.safetensors").write_bytes(b"no tensors")
    manifest = read_manifest(bundle)
    with pytest.raises(UserError, match="parity sample"):
        read_example(bundle, manifest)


def test_link_in_place_of_a_file(bundle: Path, tmp_path: Path) -> None:
    (bundle / "model.onnx").rename(tmp_path / "elsewhere.onnx")
    (bundle / "model.onnx").symlink_to(tmp_path / "elsewhere.onnx")
    assert Check("hash of model.onnx", False, "is a link") in failures(verify(bundle, measure=False))


def test_a_link_to_a_folder_is_found(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (bundle / "more").symlink_to(tmp_path / "elsewhere")
    (failed,) = failures(verify(bundle, measure=False))
    assert failed == Check("files", False, "more is not of the bundle")


def test_a_folder_that_is_a_link_is_not_entered(bundle: Path, tmp_path: Path) -> None:
    def move(content: dict) -> None:
        for file in content["files"]:
            file.update(path=f"inner/{file['path']}")

    edit(bundle, move)
    outside = tmp_path / "outside"
    outside.mkdir()
    for path in bundle.glob("[!m]*"):
        path.rename(outside / path.name)
    (bundle / "inner").symlink_to(outside)
    details = [check.detail for check in failures(verify(bundle, measure=False))]
    assert any("inner is not of the bundle" in detail for detail in details)
    assert not any("hash of inner" in check.name for check in verify(bundle, measure=False).checks)


@pytest.mark.parametrize("name", ["model.onnx", "parity.safetensors", "README.md"])
def test_files_that_never_end_are_not_read(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    os.mkfifo(bundle / name)
    assert Check(f"hash of {name}", False, "is not a regular file") in failures(verify(bundle, measure=False))
    (bundle / name).unlink()
    (bundle / name).symlink_to("/dev/zero")
    assert Check(f"hash of {name}", False, "is a link") in failures(verify(bundle, measure=False))


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"[" * 100_000 + b"]" * 100_000, "nested too deeply"), (b" " * (4 * 2**20 + 1), "more than 4,194,304")],
)
def test_a_manifest_that_would_need_much_memory_is_refused(bundle: Path, content: bytes, reason: str) -> None:
    (bundle / "manifest.json").write_bytes(content)
    (failed,) = failures(verify(bundle, measure=False))
    assert reason in failed.detail
    (bundle / "manifest.json").unlink()
    os.mkfifo(bundle / "manifest.json")
    (failed,) = failures(verify(bundle, measure=False))
    assert "not a regular file" in failed.detail


def test_model_exchanged_together_with_its_hash(make_bundle: Make, tmp_path: Path) -> None:
    """A forger who fits the hashes is found by the parity and by the certificate."""
    make_bundle()
    good = tmp_path / "bundle"
    sample, certificate = (good / "parity.safetensors").read_bytes(), json.loads((good / "manifest.json").read_text())
    make_bundle(classes=3, certificates=())
    (good / "parity.safetensors").write_bytes(sample)

    def fit(content: dict) -> None:
        entry = next(file for file in content["files"] if file["path"] == "parity.safetensors")
        entry.update(sha256=hashlib.sha256(sample).hexdigest(), bytes=len(sample))
        content.update(certificates=certificate["certificates"])

    edit(good, fit)
    names = [check.name for check in failures(verify(good))]
    assert "parity" in names
    assert "manifest against README.md" in names
    assert "certificate for cpu" in names
    assert "budget on cpu" in names


@pytest.mark.parametrize(
    ("change", "detail"),
    [({"latency_ms": 1.0}, "raw samples give"), ({"budget_ms": 3.0}, "above the budget of 3 ms")],
)
def test_certificate_that_was_changed(bundle: Path, change: dict[str, float], detail: str) -> None:
    edit(bundle, lambda content: content["certificates"][0].update(change))
    failed = {check.name: check.detail for check in failures(verify(bundle, measure=False))}
    assert detail in failed["certificate for cpu"]


def test_bundle_without_certificate_does_not_verify(make_bundle: Make, tmp_path: Path) -> None:
    make_bundle(certificates=())
    assert [check.name for check in failures(verify(tmp_path / "bundle"))] == ["certificate"]


def test_a_budget_that_was_refused_fails_beside_one_that_holds(make_bundle: Make, tmp_path: Path) -> None:
    make_bundle(refusals=["openvino: 2.100 ms measured is above the budget of 2 ms"])
    failed = {check.name: check.detail for check in failures(verify(tmp_path / "bundle"))}
    assert failed == {"budget without certificate": "openvino: 2.100 ms measured is above the budget of 2 ms"}
    assert "**NOT certified**: openvino" in (tmp_path / "bundle" / "README.md").read_text()


def test_budget_decides(bundle: Path) -> None:
    assert failures(verify(bundle, RuntimeDevice(latency_ms=4.999))) == []
    (failed,) = failures(verify(bundle, RuntimeDevice(latency_ms=5.001)))
    assert failed.name == "budget on cpu"
    assert "5.001 ms" in failed.detail
    assert "against a budget of 5 ms, certified at 4.000 ms" in failed.detail


def test_same_machine_is_normalised_as_certified(bundle: Path) -> None:
    device = RuntimeDevice()
    verify(bundle, device)
    assert device.nominal_times == [2.0]


def test_another_machine_is_normalised_afresh_and_named(bundle: Path) -> None:
    device = RuntimeDevice(device_info=replace(INFO, hardware="another"), reference_ms=2.5)
    result = verify(bundle, device)
    assert device.nominal_times == [2.5]
    assert result.ok
    assert result.checks[-1].detail.startswith(
        "another machine or set-up (another, onnxruntime 1, threads: 1): 4.000 ms"
    )


def scale_everything(content: dict, factor: float) -> None:
    """What a forger of a faster net does: all times, raw ones too, with the words that state them."""
    (certificate,) = content["certificates"]
    times = ("budget_ms", "latency_ms", "upper_ms", "nominal_reference_ms", "raw_median_ms", "p90_ms", "first_run_ms")
    for name in times:
        certificate[name] *= factor
    certificate["interval_ms"] = [factor * end for end in certificate["interval_ms"]]
    for block in certificate["blocks"]:
        block.update(candidate_ms=factor * block["candidate_ms"], reference_ms=factor * block["reference_ms"])
    certificate["statement"] = certificate_checks._statement(Certificate.model_validate_json(json.dumps(certificate)))
    for file in content["files"]:
        file["measured_ms"] = file["measured_ms"] and factor * file["measured_ms"]


def test_a_certificate_whose_times_are_all_scaled_is_measured_on_the_own_scale(bundle: Path) -> None:
    edit(bundle, lambda content: scale_everything(content, 0.1))
    device = RuntimeDevice(latency_ms=4.0)
    failed = {check.name: check.detail for check in failures(verify(bundle, device))}
    assert device.nominal_times == [2.1] * (1 + ROUNDS * ROUND_SIZE)
    assert failed["budget on cpu"].startswith(
        "another machine of the same name (the reference net takes 2.100 ms here, 0.200 ms in the certificate): 4.000"
    )
    assert set(failed) == {"budget on cpu", "manifest against README.md"}


@pytest.mark.parametrize(("known", "scale"), [(None, 2.0), (2.15, 2.0), (2.3, 2.0), (1.2, 1.2)])
def test_the_speed_that_this_machine_is_known_to_have_decides(bundle: Path, known: float | None, scale: float) -> None:
    """A known time that does not fit is measured again: other work may have disturbed it, but never made it faster."""
    device = RuntimeDevice()
    verify(bundle, device, known_reference=lambda asked: known)
    assert device.nominal_times == [scale]


@pytest.mark.parametrize(("reference_ms", "scale"), [(2.19, 2.0), (2.21, 2.21), (1.83, 2.0), (1.80, 1.80)])
def test_two_machines_of_one_name_are_told_apart_by_the_reference_net(
    bundle: Path, reference_ms: float, scale: float
) -> None:
    device = RuntimeDevice(reference_ms=reference_ms)
    detail = verify(bundle, device).checks[-1].detail
    assert device.nominal_times == [scale]
    assert ("another machine of the same name" in detail) is (scale == reference_ms)


def test_more_threads_than_requested_keep_no_budget(bundle: Path) -> None:
    class Cheating(RuntimeDevice):
        def measure(self, candidates: Sequence[Candidate], **settings: object) -> Iterator[object]:
            return (replace(result, cpu_per_wall=1.9) for result in super().measure(candidates, **settings))

    (failed,) = failures(verify(bundle, Cheating()))
    assert failed.detail == "more threads ran than the 1 that were requested"


@pytest.mark.parametrize("normalise", [True, False])
def test_the_budget_is_measured_as_it_was_certified(bundle: Path, normalise: bool) -> None:
    edit(bundle, lambda content: content["certificates"][0]["protocol"].update(normalise=normalise))
    device = RuntimeDevice()
    verify(bundle, device)
    assert [protocol.normalise for protocol in device.protocols] == [normalise]


def test_protocol_and_seed_of_the_new_measurement(bundle: Path) -> None:
    device = RuntimeDevice()
    protocol = MeasurementProtocol(block_ms=3.0)
    verify(bundle, device, protocol=protocol, seed=7)
    verify(bundle, device)
    assert device.protocols == [protocol, MeasurementProtocol()]
    assert device.seeds == [7, 0]


def test_a_dynamic_file_is_measured_at_the_certified_size(make_bundle: Make, tmp_path: Path) -> None:
    measured: list[Candidate] = []

    class Recording(RuntimeDevice):
        def measure(self, candidates: Sequence[Candidate], **settings: object) -> Iterator[object]:
            measured.extend(candidates)
            return super().measure(candidates, **settings)

    make_bundle(formats=["onnx-dynamic"], certificates=())
    certificate = certificate_for(tmp_path / "bundle" / "model_dynamic.onnx")
    make_bundle(formats=["onnx-dynamic"], certificates=[certificate])
    assert verify(tmp_path / "bundle", Recording()).ok
    assert measured[0].input_shapes == (("image", (1, 3, 32, 48)),)


def test_every_file_of_the_network_is_compared_with_the_architecture(bundle: Path) -> None:
    seen: list[str] = []

    def compare(_: Manifest, path: Path) -> list[str]:
        seen.append(path.name)
        return ["it is another network"] if path.name == "model_dynamic.onnx" else []

    failed = failures(verify(bundle, measure=False, check_architecture=compare))
    assert seen == ["model.onnx", "model_dynamic.onnx"]
    assert [check.detail for check in failed if check.name == "architecture"] == ["it is another network"]


@pytest.mark.parametrize("file_format", ["onnx-uint8", "own"])
def test_a_certificate_is_for_a_file_that_was_compared(bundle: Path, file_format: str) -> None:
    """Otherwise it could be for any fast file that knows the answer to the stored example."""

    def certify_another(content: dict) -> None:
        file = next(each for each in content["files"] if each["format"] == "onnx-uint8")
        file["format"] = file_format
        content["certificates"][0]["model_sha256"] = file["sha256"]

    edit(bundle, certify_another)
    failed = {check.name: check.detail for check in failures(verify(bundle, measure=False))}
    assert f"it is for model_uint8.onnx ({file_format})" in failed["certificate for cpu"]


def test_certificate_for_a_file_that_is_not_in_the_bundle(bundle: Path) -> None:
    edit(bundle, lambda content: content["certificates"][0].update(model_sha256="0" * 64))
    failed = {check.name: check.detail for check in failures(verify(bundle))}
    assert failed["certificate for cpu"] == "it is for a file that is not in the bundle"
    assert failed["budget on cpu"].startswith("not measured")


def test_another_file_than_the_certified_one_was_measured(bundle: Path) -> None:
    class Careless(RuntimeDevice):
        def measure(self, candidates: Sequence[Candidate], **settings: object) -> Iterator[object]:
            return super().measure([replace(candidates[0], path=bundle / "README.md")], **settings)

    (failed,) = failures(verify(bundle, Careless()))
    assert failed.detail == "another file was measured"


@pytest.mark.parametrize("name", ["onnx", "onnx-dynamic", "onnx-uint8", "openvino"])
def test_parity_of_each_file_decides(bundle: Path, name: str) -> None:
    """On its device and of its input: a device that answers a little wrong fails the file."""
    path = read_manifest(bundle).file(name).path

    class Wrong(RuntimeDevice):
        def infer(self, file: Path, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            (answer,) = super().infer(file, inputs)
            wrong = 1 - answer if answer.dtype == np.uint8 else answer + np.float32(0.01)
            return [wrong if file.name == path and (name != "openvino" or self.name == "openvino") else answer]

    result = verify_bundle(bundle, get_device=lambda device, threads=1: Wrong(name=device), measure=False)
    assert f"parity of {path} ({name})" in [check.name for check in failures(result)]


def test_no_device_for_any_file_is_a_failure(bundle: Path) -> None:
    names = [check.name for check in failures(verify(bundle, RuntimeDevice(usable=False), measure=False))]
    assert "parity" in names
    assert "parity of model.onnx (onnx)" in names


def test_a_given_device_that_is_not_here_ends_it(bundle: Path) -> None:
    class Missing(RuntimeDevice):
        def info(self) -> None:
            raise DeviceUnavailableError("device cpu", seen="nothing", expected="a device", remedy="plug it in")

    with pytest.raises(DeviceUnavailableError):
        verify(bundle, device=Missing())


def test_a_given_device_whose_runtime_is_broken_ends_it(bundle: Path) -> None:
    class Broken(RuntimeDevice):
        def measure(self, candidates: object, **_: object) -> None:
            raise DeviceUnavailableError("device cpu", seen="a crash", expected="a runtime", remedy="reinstall it")

    with pytest.raises(DeviceUnavailableError):
        verify(bundle, device=Broken())
    (failed,) = failures(verify(bundle, Broken()))
    assert "reinstall it" in failed.detail


def test_a_model_whose_answer_is_no_tensor_fails(bundle: Path) -> None:
    path = bundle / "model.onnx"
    model = onnx.load(path)
    tensor = model.graph.output[0].type.tensor_type
    shape = [side.dim_value for side in tensor.shape.dim]
    made = onnx.helper.make_node("SequenceConstruct", [model.graph.output[0].name], ["all"])
    model.graph.node.append(made)
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_sequence_value_info("all", tensor.elem_type, shape))
    onnx.save(model, path)
    manifest = read_manifest(bundle)
    assert model_faults(bundle, manifest.file("onnx"), manifest)[0].startswith("returns no tensor")


def test_given_device_is_used(bundle: Path) -> None:
    device = RuntimeDevice(latency_ms=9.0)
    (failed,) = failures(verify(bundle, device=device))
    assert failed.name == "budget on cpu"
    assert device.nominal_times == [2.0] * (1 + ROUNDS * ROUND_SIZE)


def test_device_without_a_budget(bundle: Path) -> None:
    (failed,) = failures(verify(bundle, device=RuntimeDevice(name="openvino")))
    assert failed.name == "budget on openvino"
    assert "no certificate" in failed.detail


def test_simulated_device_certifies_nothing(bundle: Path) -> None:
    device = RuntimeDevice(device_info=replace(INFO, simulated=True))
    (failed,) = failures(verify(bundle, device))
    assert "a simulated device certifies nothing" in failed.detail
    assert device.nominal_times == []


def test_given_simulated_device_certifies_nothing(bundle: Path) -> None:
    (failed,) = failures(verify(bundle, device=get_device("simulated")))
    assert failed == Check("budget on simulated", False, "a simulated device certifies nothing: no run is timed")


def test_further_runtime_that_is_missing_is_left_out(bundle: Path) -> None:
    def get(name: str, /, *, threads: int = 1) -> Device:
        return RuntimeDevice(name=name, usable=name != "openvino")

    result = verify_bundle(bundle, get_device=get)
    assert result.ok
    assert not any("openvino" in check.name for check in result.checks)


def test_certificate_on_two_threads_is_measured_on_two(bundle: Path) -> None:
    edit(bundle, lambda content: content["certificates"][0].update(device=replace(INFO, threads=2).to_json()))
    used: list[int] = []

    def get(name: str, /, *, threads: int = 1) -> Device:
        used.append(threads)
        return RuntimeDevice(name=name)

    verify_bundle(bundle, get_device=get)
    assert used[-1] == 2


def test_a_bundle_names_no_machine_to_connect_to(bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # there is no ssh, so an attempt to connect would say so
    name = "ssh://elsewhere/cpu"
    edit(bundle, lambda content: content["certificates"][0].update(device=replace(INFO, name=name).to_json()))
    (check,) = [check for check in verify_bundle(bundle).checks if check.name == f"budget on {name}"]
    assert not check.ok
    assert "a device of another machine, named in a file" in check.detail
    assert f"--device {name}" in check.detail


def test_threads_of_a_given_device_are_the_certified_ones(bundle: Path, tmp_path: Path) -> None:
    edit(bundle, lambda content: content["certificates"][0].update(device=replace(INFO, threads=2).to_json()))
    assert Bundle(bundle).certified_threads("cpu") == 2
    assert Bundle(bundle).certified_threads("openvino") == 1
    (bundle / "manifest.json").write_text("{")
    assert Bundle(bundle).certified_threads("cpu") == 1


def test_crash_while_measuring(bundle: Path) -> None:
    (failed,) = failures(verify(bundle, RuntimeDevice(crashes=True)))
    assert failed == Check("budget on cpu", False, "out of memory")


def test_device_that_is_not_here(bundle: Path) -> None:
    class Missing(RuntimeDevice):
        def info(self) -> None:
            raise DeviceUnavailableError("device cpu", seen="nothing", expected="a device", remedy="plug it in")

    (failed,) = failures(verify(bundle, Missing()))
    assert "plug it in" in failed.detail


def test_no_bundle_and_newer_bundle_are_bad_input(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="bundle"):
        verify(tmp_path)
    edit(bundle, lambda content: content.update(schema_version=99))
    with pytest.raises(UserError, match="newer latseg"):
        verify(bundle)


def test_damaged_manifest_fails(bundle: Path) -> None:
    (bundle / "manifest.json").write_text("{")
    (failed,) = failures(verify(bundle))
    assert failed.name == "manifest"


def test_nothing_checked_is_not_good() -> None:
    assert not VerifyResult(()).ok


def test_needs_no_torch() -> None:
    heavy = ("torch", "onnx", "onnxruntime", "openvino")
    modules = "export.bundle.verify, export.bundle.segment"
    code = f"import sys, {modules}; print([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
