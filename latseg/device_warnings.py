"""What makes the latency of a model on a device another one than its user expects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devices.device import Device
    from devices.target import Target
    from latseg.model_files import Shapes


@dataclass(frozen=True, slots=True)
class DeviceWarnings:
    """Tells it in one line each."""

    device: Target
    warn: Callable[[str], None]

    def load(self, device: Device) -> None:
        """Where other programs use the machine on which this device is about to measure."""
        from devices.other_load import BUSY_CORES

        load = 0.0 if device.info().simulated else device.other_load()
        if load >= BUSY_CORES:
            self.warn(
                f"{device.name}: other programs use {load:.1f} processor cores; latencies measured now scatter "
                "more and may read some percent too high: end these programs, or measure when the machine is quiet"
            )

    def listed_weights(self, path: Path, shapes: Shapes | None, gain: str = "") -> None:
        """For a model whose weights are inputs; ``gain`` ends the sentence about a file in which they are constants."""
        given = [f"--shape {quote(name)}={'x'.join(map(str, shape))}" for name, shape in (shapes or {}).items()]
        command = " ".join(["latseg fix", quote(str(path)), *given])
        self.warn(
            f"{path.name}: weights are listed among its inputs. They are no constants for {self.device.name}, which "
            f"may take several times as long. `{command}` writes a file in which they are constants{gain}"
        )

    def other_outputs(self, path: Path, percent: float) -> None:
        """Of a model that computes something else here than with ONNX Runtime."""
        self.warn(
            f"{path.name}: {percent:.0f} % of an output differ from ONNX Runtime's on {self.device.name} by more than "
            f"rounding; compare the masks of real pictures before you use it there"
        )

    def values(self, path: Path, given: Mapping[str, Any]) -> None:
        """Of inputs that are fed with random numbers although these decide sizes."""
        from devices.model_file import check_model
        from devices.shape_inputs import shape_deciding_inputs

        for name in shape_deciding_inputs(check_model(path)):
            if name not in given:
                self.warn(
                    f"{path.name}: the values of input {name!r} decide sizes inside the model, and random ones are "
                    f"fed; give real ones with --input {name}=VALUE or --input FILE.npz"
                )
