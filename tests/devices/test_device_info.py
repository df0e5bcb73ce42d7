import json
import os
import subprocess
import sys
from dataclasses import asdict, replace

import pytest
from pydantic import TypeAdapter

from devices.device_info import DeviceInfo
from devices.measurement import Measurement, OperatorTime
from tests.latency.measurements import measurement

DEVICE = TypeAdapter(DeviceInfo)
INFO = DeviceInfo(
    name="cpu",
    hardware="Example CPU (2 cores)",
    runtime="onnxruntime",
    runtime_version="1.22.0",
    threads=1,
    precision="float32",
    protocol_version=2,
    clock_mhz=2000.0,
    load_average=0.5,
)
STORED = {
    "name": "cpu",
    "hardware": "Example CPU (2 cores)",
    "runtime": "onnxruntime",
    "runtime_version": "1.22.0",
    "threads": 1,
    "precision": "float32",
    "simulated": False,
    "protocol_version": 2,
    "clock_mhz": 2000.0,
    "load_average": 0.5,
    "fingerprint": "a35698f1a0d87205",
}
"""As it was written before devices had settings."""


def test_fingerprints_stay_as_they_were_stored() -> None:
    assert INFO.fingerprint == STORED["fingerprint"]
    older = replace(
        INFO, name="openvino", runtime="openvino", runtime_version="2025.2.0", threads=2, protocol_version=1
    )
    assert older.fingerprint == "451a286bb633818b"


def test_stored_devices_are_read_as_before() -> None:
    assert DEVICE.validate_python(STORED) == INFO
    assert (
        DEVICE.validate_python({key: STORED[key] for key in STORED if key != "protocol_version"}).protocol_version == 1
    )


def test_settings_go_through_a_file() -> None:
    info = replace(INFO, settings=(("provider", "CUDA"), ("graph", "on")))
    assert DEVICE.validate_json(json.dumps(info.to_json())) == info


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "other"),
        ("hardware", "other"),
        ("runtime", "other"),
        ("runtime_version", "other"),
        ("threads", 2),
        ("precision", "float16"),
        ("protocol_version", 3),
        ("settings", (("provider", "CUDA"),)),
    ],
)
def test_every_field_of_the_identity_changes_the_fingerprint(field: str, value: object) -> None:
    other = replace(INFO, **{field: value})  # type: ignore[arg-type]
    assert other.fingerprint != INFO.fingerprint
    assert other.differences(INFO) == (field,)


def test_the_moment_changes_nothing() -> None:
    moment = replace(INFO, clock_mhz=1.0, load_average=9.0)
    assert moment.fingerprint == INFO.fingerprint
    assert moment.differences(INFO) == ()


def test_measurements_of_older_versions_are_read() -> None:
    now = replace(
        measurement("net", 2.0),
        operators=(OperatorTime("Conv", ("t0",), ("image",), 2.0),),
        protocol={"normalise": True},
    )
    stored = json.loads(json.dumps(asdict(now)))
    for row in stored["operators"]:
        del row["unit"], row["own_ms"]
    del stored["device"]["settings"], stored["peak_memory_bytes"]
    read = TypeAdapter(Measurement).validate_python(stored | {"written_by_a_newer_version": 1})
    assert read == now
    assert read.protocol["normalise"] is True


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot restrict a process to a core")
def test_a_process_that_may_use_one_core_is_on_the_same_device() -> None:
    code = (
        "import os; from devices.registry import get_device; one = get_device('cpu').info().fingerprint; "
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); assert get_device('cpu').info().fingerprint == one"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
