"""A target of a workspace, measured or compiled: whether models run there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from latseg.device_warnings import DeviceWarnings
from latseg.model_files import Shapes, Values, as_arrays
from latseg.results import CheckedModel

if TYPE_CHECKING:
    from devices.device_info import DeviceInfo
    from devices.target import Target
    from latseg.open_workspace import OpenWorkspace


class TargetHandle:
    """What ``Workspace.target`` returns."""

    def __init__(self, workspace: OpenWorkspace, target: Target) -> None:
        self.workspace = workspace
        self.target = target
        self._warnings = DeviceWarnings(target, workspace.warn)

    @property
    def name(self) -> str:
        """The text that names the target, such as ``cpu``."""
        return self.target.name

    @property
    def info(self) -> DeviceInfo:
        """Hardware, runtime, version, threads, precision, and the fingerprint over them.

        Raises:
            DeviceUnavailableError: the target cannot be used here.
        """
        return self.target.info()

    def check(
        self,
        model: str | Path,
        *,
        shapes: Shapes | None = None,
        values: Values | None = None,
        seed: int = 0,
    ) -> CheckedModel:
        """Runs or compiles a model once, and its operators one by one where that fails; nothing is timed.

        >>> device.check(example_model).supported
        True

        Args:
            model: an ONNX file.
            shapes: of inputs with dynamic axes, by name.
            values: of inputs whose numbers decide sizes inside the model, by name.
            seed: of the random inputs.

        Raises:
            UserError: not a model, or an input without a shape.
            DeviceUnavailableError: the target cannot be used here.
        """
        from devices.compiled_target import CompiledTarget
        from devices.device import Candidate, Device
        from devices.input_values import encode_all
        from devices.output_comparison import MOST_UNEQUAL
        from latency.model_support import model_support
        from latseg.fixing import lost_time

        path, info, arrays = Path(model), self.info, as_arrays(values)
        self._warnings.values(path, arrays)
        candidate = Candidate(path.name, path, tuple((shapes or {}).items()), encode_all(arrays))
        support = model_support(self.target, candidate, seed=seed)
        lost = lost_time(path, self.target) if isinstance(self.target, Device) else []
        compiled, emulator = isinstance(self.target, CompiledTarget), self.target.emulated_by()
        checked = CheckedModel(path, info, support, lost, compiled=compiled, emulator=emulator)
        if checked.supported and checked.unequal_percent > 100 * MOST_UNEQUAL:
            self._warnings.other_outputs(path, checked.unequal_percent)
        return checked
