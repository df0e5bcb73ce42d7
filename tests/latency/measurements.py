"""Measurements for tests."""

from __future__ import annotations

from devices.device_info import DeviceInfo
from devices.measurement import Block, Measurement, OperatorTime

INFO = DeviceInfo("cpu", "Test CPU", "onnxruntime", "1.0", threads=1, precision="float32")
OTHER = DeviceInfo("cpu", "Other CPU", "onnxruntime", "1.0", threads=1, precision="float32")


def measurement(
    label: str = "net",
    latency_ms: float = 2.0,
    *,
    device: DeviceInfo = INFO,
    operators: tuple[OperatorTime, ...] = (),
    blocks: int = 3,
) -> Measurement:
    return Measurement(
        label=label,
        model_sha256="ab" * 32,
        device=device,
        latency_ms=latency_ms,
        interval_ms=(latency_ms * 0.99, latency_ms * 1.01),
        raw_median_ms=latency_ms,
        minimum_ms=latency_ms,
        p90_ms=latency_ms,
        p99_ms=latency_ms,
        first_run_ms=5 * latency_ms,
        load_ms=20.0,
        nominal_reference_ms=1.0,
        converged=True,
        cpu_per_wall=1.0,
        blocks=tuple(Block(5, latency_ms + 0.001 * k, 1.0) for k in range(blocks)),
        operators=operators,
        profiler="test",
        started_at="2025-01-01T00:00:00+00:00",
        input_shapes=((1, 3, 32, 32),),
        peak_memory_bytes=None,
        protocol={"block_ms": 10.0, "minimum_blocks": 11},
    )


def row(output: str, ms: float) -> OperatorTime:
    return OperatorTime("Kernel", (output,), ("x",), ms, (1, 2, 3, 4))
