"""A predictor with its calibrated bound and the device that both belong to."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from devices.device_info import DeviceInfo
from foundation.errors import UserError
from foundation.regular_file import read_regular
from latency.calibration import Calibration, widening_ms
from latency.operators.operator import OperatorGraph
from latency.predictor import LatencyPredictor, Prediction
from latency.predictors.folder import SCHEMA, TENSOR_BYTES, corrupt, read_document, write_json
from latency.predictors.registry import predictor_class

_NAME = "bounded"
_VERSION = "runtime_version"
_DEVICE = TypeAdapter(DeviceInfo)
_NOMINAL: TypeAdapter[float | None] = TypeAdapter(Annotated[float, Field(gt=0, allow_inf_nan=False)] | None)
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundedPrediction(Prediction):
    """The predicted latency of one net and its upper bound, which ``unseen`` and ``isolated`` operators widen."""

    upper_ms: float
    """One-sided bound at the calibration's confidence; budgets are checked against it."""
    widening_ms: float
    """Part of it that no calibration changes."""


@dataclass(frozen=True)
class BoundedPredictor:
    """Predictor + calibration for one device; immutable but for the predictor's caches."""

    predictor: LatencyPredictor
    calibration: Calibration
    device_info: DeviceInfo
    """The device whose measurements the predictor was fitted on."""
    learned: frozenset[str] = frozenset()
    """Digests of the whole nets that it was fitted on, which must not calibrate it."""
    identity: str = field(default="", compare=False)
    """The same for predictors that predict the same: a digest of the files that it was read from, of the scale and of
    the version of latseg. Empty for one that was not read from files."""
    nominal_reference_ms: float | None = None
    """The device's nominal time of the reference net when it was fitted; None where it is not known, or where the
    device's latencies are not normalised."""
    scale: float = 1.0
    """Factor on every predicted time: the current nominal time over that one."""

    def on_scale(self, nominal_reference_ms: float | None) -> BoundedPredictor:
        """For a device whose nominal time of the reference net was corrected after the fit; of one just read."""
        if nominal_reference_ms is None or self.nominal_reference_ms in (None, nominal_reference_ms):
            return self
        scale = nominal_reference_ms / self.nominal_reference_ms
        return replace(self, scale=scale, identity=self.identity and f"{self.identity}x{scale:.6g}")

    def version_warning(self, device: DeviceInfo) -> str | None:
        """A warning where the runtime of ``device`` has another version than the one that was measured."""
        measured = self.device_info
        if _VERSION not in measured.differences(device):
            return None
        return (
            f"predictor of {device.name}: fitted on measurements with {measured.runtime} {measured.runtime_version}, "
            f"the device now has {device.runtime_version}, whose times may differ: {_remedy(device)}"
        )

    def predict(self, graphs: Sequence[OperatorGraph]) -> list[BoundedPrediction]:
        """One bounded prediction per graph, in their order."""
        results = []
        predictions = self.predictor.predict(graphs)
        for prediction in predictions if self.scale == 1 else (each.scaled(self.scale) for each in predictions):
            unseen_ms, isolated_ms = (
                sum(prediction.operators_ms[position] for position in positions)
                for positions in (prediction.unseen, prediction.isolated)
            )
            widening = widening_ms(unseen_ms, isolated_ms, sum(prediction.operators_ms) - unseen_ms - isolated_ms)
            upper_ms = self.calibration.upper_ms(prediction.latency_ms, widening)
            parts = (prediction.latency_ms, prediction.operators_ms, prediction.overhead_ms)
            unknown = (prediction.unseen, prediction.isolated)
            results.append(BoundedPrediction(*parts, *unknown, upper_ms=upper_ms, widening_ms=widening))
        return results

    def recalibrated(self, ratios: Sequence[float]) -> BoundedPredictor:
        """With measured / predicted of nets that a search preferred and measured.

        Of fewer than the level needs, the bound can only become wider; see ``Calibration.factor``.
        """
        return replace(self, calibration=self.calibration.recalibrated(ratios))

    def with_near_budget(self, ratios: Sequence[float]) -> BoundedPredictor:
        """With measured / predicted of random nets near a budget that the predictor was not fitted on.

        They replace earlier ones; the bound moves with them where predictions are too high there
        (``Calibration.factor``).
        """
        return replace(self, calibration=self.calibration.with_near_budget(ratios))

    def save(self, folder: Path) -> None:
        """Writes the folder so that an interruption leaves the old predictor or the new one.

        Raises:
            UserError: the folder cannot be written.
        """
        previous = _subfolder(folder)
        subfolder = "second" if previous == "first" else "first"
        shutil.rmtree(folder / subfolder, ignore_errors=True)
        self.predictor.save(folder / subfolder)
        document = {
            "schema": SCHEMA,
            "name": _NAME,
            "kind": self.predictor.name,
            "folder": subfolder,
            "calibration": self.calibration.to_json(),
            "device": self.device_info.to_json(),
            "learned": sorted(self.learned),
            "nominal_reference_ms": self.nominal_reference_ms,
            "files": _digests(folder / subfolder),
        }
        write_json(folder / f"{_NAME}.json", document)
        if previous:
            shutil.rmtree(folder / previous, ignore_errors=True)

    @staticmethod
    def load(folder: Path, *, device: DeviceInfo | None = None) -> BoundedPredictor:
        """Reads what ``save`` wrote; with ``device``, only if it was fitted on that device.

        Another version of the same runtime is accepted; see ``version_warning``.

        Raises:
            UserError: missing, corrupt, of another schema, or of another device (hardware, runtime, threads, precision,
                protocol).
        """
        document = read_document(folder / f"{_NAME}.json", _NAME)
        try:
            subfolder = folder / Path(str(document["folder"])).name
            files = _digests(subfolder)
            if document["schema"] == SCHEMA and document["files"] != files:
                raise corrupt(folder, f"files in {subfolder.name!r} that are not those that were written")
            predictor = predictor_class(str(document["kind"])).load(subfolder)
            # Absent in folders of older versions.
            learned = frozenset(map(str, document.get("learned", ())))
            calibration = Calibration.from_json(document["calibration"])
            found = _DEVICE.validate_python(document["device"])
            nominal_ms = _NOMINAL.validate_python(document.get("nominal_reference_ms"))
            identity = _identity(predictor.name, files)
            bounded = BoundedPredictor(predictor, calibration, found, learned, identity, nominal_ms)
        except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
            raise corrupt(folder, f"{type(error).__name__}: {error}") from error
        _logger.debug("predictor in %s: %s, %s", folder, predictor.name, calibration.statement)
        others = [] if device is None else [name for name in found.differences(device) if name != _VERSION]
        if device is not None and others:
            raise UserError(
                f"predictor in {folder}",
                seen=f"one of a device with {_described(found, others)}",
                expected=f"{_described(device, others)}, as the device is now",
                remedy=_remedy(device),
            )
        return bounded


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file by name."""
    return {
        path.name: hashlib.sha256(read_regular(path, limit=TENSOR_BYTES)).hexdigest()
        for path in sorted(folder.iterdir())
    }


def _identity(kind: str, files: Mapping[str, str]) -> str:
    content = json.dumps([version("latseg"), kind, dict(files)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _described(device: DeviceInfo, names: Sequence[str]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {getattr(device, name)}" for name in names)


def _remedy(device: DeviceInfo) -> str:
    options = f"--device {device.name}" + (f" --threads {device.threads}" if device.threads > 1 else "")
    return f"profile and fit anew: `latseg profile {options}`, `latseg fit {options}`"


def _subfolder(folder: Path) -> str:
    """The predictor's subfolder that is in use; empty where there is none or it cannot be read."""
    try:
        return str(read_document(folder / f"{_NAME}.json", _NAME).get("folder", ""))
    except UserError:
        return ""
