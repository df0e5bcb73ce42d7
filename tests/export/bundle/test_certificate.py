from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from devices.measurement import Block, Measurement
from devices.protocol import MeasurementProtocol
from export.bundle.certificate import Certificate, Refusal, certify
from export.bundle.certificate_checks import contradictions
from foundation.errors import UserError
from tests.export.runtime_device import INFO, measurement


@pytest.fixture
def taken(tmp_path: Path) -> Measurement:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"model")
    return measurement(path, latency_ms=4.0)  # interval up to 4.04


def test_upper_end_with_the_noise_floor_decides(taken: Measurement) -> None:
    limit = 4.04 * 1.02
    granted = certify(taken, budget_ms=limit + 1e-6, noise_floor_percent=2.0)
    refused = certify(taken, budget_ms=limit - 1e-6, noise_floor_percent=2.0)
    assert isinstance(granted, Certificate)
    assert granted.upper_ms == pytest.approx(limit)
    assert isinstance(refused, Refusal)
    assert refused.upper_ms == pytest.approx(limit)
    assert "is above the budget of" in refused.reason


def test_certificate_holds_everything_that_was_measured(taken: Measurement) -> None:
    certificate = certify(taken, budget_ms=5.0, noise_floor_percent=2.0)
    assert isinstance(certificate, Certificate)
    assert certificate.model_sha256 == taken.model_sha256
    assert certificate.device.fingerprint == INFO.fingerprint
    assert certificate.device == INFO
    assert [(b.runs, b.candidate_ms, b.reference_ms) for b in certificate.blocks] == [
        (b.runs, b.candidate_ms, b.reference_ms) for b in taken.blocks
    ]
    assert certificate.nominal_reference_ms == 2.0
    assert certificate.started_at == taken.started_at
    assert "within the budget of 5 ms, on cpu (test machine, onnxruntime 1, 1 thread, float32)" in certificate.statement


def test_certificate_of_plain_times_says_so(taken: Measurement) -> None:
    plain = replace(taken, protocol={**taken.protocol, "normalise": False})
    certificate = certify(plain, budget_ms=5.0, noise_floor_percent=2.0)
    assert isinstance(certificate, Certificate)
    assert not certificate.normalised
    assert "float32, plain times)" in certificate.statement


def test_certificate_survives_json(taken: Measurement) -> None:
    certificate = certify(taken, budget_ms=5.0, noise_floor_percent=2.0)
    assert isinstance(certificate, Certificate)
    assert Certificate.model_validate_json(certificate.model_dump_json()) == certificate


def test_interval_that_did_not_converge_counts_as_it_is(taken: Measurement) -> None:
    wide = replace(taken, converged=False, interval_ms=(3.0, 4.9))
    assert isinstance(certify(wide, budget_ms=4.95, noise_floor_percent=0.0), Certificate)
    refusal = certify(wide, budget_ms=4.85, noise_floor_percent=0.0)
    assert isinstance(refusal, Refusal)
    assert "did not converge" in refusal.reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"device": replace(INFO, simulated=True)}, "simulated"),
        ({"blocks": ()}, "no raw samples"),
        ({"cpu_per_wall": 1.06}, "processor time was 1.06 times the wall time while 1 thread was requested"),
        ({"cpu_per_wall": float("nan")}, "processor time"),
        ({"interval_ms": (1.0, float("nan"))}, "above the budget"),
        ({"latency_ms": 60.0}, "above the budget"),
    ],
)
def test_refusals(taken: Measurement, changes: dict[str, object], reason: str) -> None:
    refusal = certify(replace(taken, **changes), budget_ms=50.0, noise_floor_percent=0.0)
    assert isinstance(refusal, Refusal)
    assert reason in refusal.reason


def test_two_requested_threads_may_use_two(taken: Measurement) -> None:
    two = replace(taken, device=replace(INFO, threads=2), cpu_per_wall=1.9)
    assert isinstance(certify(two, budget_ms=5.0, noise_floor_percent=0.0), Certificate)
    assert isinstance(certify(replace(two, cpu_per_wall=2.2), budget_ms=5.0, noise_floor_percent=0.0), Refusal)


@pytest.mark.parametrize("budget_ms", [0.0, -1.0, float("nan"), float("inf")])
def test_budget_that_is_none(taken: Measurement, budget_ms: float) -> None:
    with pytest.raises(UserError, match="latency budget"):
        certify(taken, budget_ms=budget_ms, noise_floor_percent=1.0)


def test_noise_floor_that_is_none(taken: Measurement) -> None:
    with pytest.raises(UserError, match="noise floor"):
        certify(taken, budget_ms=5.0, noise_floor_percent=-1.0)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"latency_ms": 3.0}, "raw samples give 4.0000 ms"),
        ({"nominal_reference_ms": 1.0}, "raw samples give 2.0000 ms"),
        ({"upper_ms": 4.0}, "upper value"),
        ({"budget_ms": 4.0}, "above the budget"),
        ({"device": replace(INFO, simulated=True)}, "a simulated device certifies nothing"),
    ],
)
def test_certificate_that_contradicts_itself(taken: Measurement, changes: dict[str, object], fault: str) -> None:
    certificate = certify(taken, budget_ms=5.0, noise_floor_percent=2.0)
    assert isinstance(certificate, Certificate)
    assert contradictions(certificate) == []
    assert fault in " ".join(contradictions(certificate.model_copy(update=changes)))


def busy_at_the_end(taken: Measurement, quiet: int, **protocol: float) -> Measurement:
    """Quiet blocks of 4 ms, then three in which both nets were slower by different factors."""
    blocks = tuple([Block(3, 4.0, 2.0)] * quiet + [Block(3, 9.0, 3.0)] * 3)
    raw = [block.candidate_ms for block in blocks]
    return replace(
        taken,
        blocks=blocks,
        interval_ms=(4.0, 4.0),
        raw_median_ms=float(np.median(raw)),
        p90_ms=float(np.percentile(raw, 90)),
        protocol={**asdict(MeasurementProtocol()), "block_ms": 10.0, **protocol},
    )


@pytest.mark.parametrize(("quiet_percent", "sound"), [(5.0, True), (math.inf, False)])
def test_blocks_of_busy_moments_do_not_count(taken: Measurement, quiet_percent: float, sound: bool) -> None:
    one = busy_at_the_end(taken, 4, quiet_percent=quiet_percent, minimum_blocks=4)
    certificate = certify(one, budget_ms=5.0, noise_floor_percent=2.0)
    assert isinstance(certificate, Certificate)
    found = contradictions(certificate)
    assert (found == []) == sound
    if not sound:
        assert "the interval's upper end, 4.0000 ms, does not follow" in " ".join(found)


def test_too_few_blocks_count(taken: Measurement) -> None:
    one = busy_at_the_end(taken, 4, minimum_blocks=5)
    certificate = certify(one, budget_ms=5.0, noise_floor_percent=2.0)
    assert isinstance(certificate, Certificate)
    assert "4 raw samples count, not at least 5" in contradictions(certificate)


def test_before_procedure_3_all_blocks_counted(taken: Measurement) -> None:
    one = busy_at_the_end(taken, 4)
    before = {name: value for name, value in one.protocol.items() if name != "quiet_percent"}
    certificate = certify(replace(one, protocol=before), budget_ms=5.0, noise_floor_percent=2.0)
    assert isinstance(certificate, Certificate)
    assert "does not follow from the raw samples" in " ".join(contradictions(certificate))


@pytest.mark.parametrize("change", [{"hardware": "a slower machine"}, {"fingerprint": "0" * 16}])
def test_device_that_does_not_belong_to_its_fingerprint(taken: Measurement, change: dict[str, str]) -> None:
    certificate = certify(taken, budget_ms=5.0, noise_floor_percent=2.0)
    assert isinstance(certificate, Certificate)
    content = certificate.model_dump()
    with pytest.raises(ValidationError, match="fingerprint"):
        Certificate.model_validate({**content, "device": {**content["device"], **change}})


@pytest.mark.parametrize("change", [{"reference_ms": 0.0}, {"candidate_ms": float("nan")}, {"runs": 0}])
def test_samples_are_positive(taken: Measurement, change: dict[str, float]) -> None:
    certificate = certify(taken, budget_ms=5.0, noise_floor_percent=2.0)
    assert isinstance(certificate, Certificate)
    content = certificate.model_dump()
    with pytest.raises(ValidationError, match="raw samples are positive"):
        Certificate.model_validate({**content, "blocks": [{**content["blocks"][0], **change}]})


def test_certificate_without_samples_is_no_certificate(taken: Measurement) -> None:
    certificate = certify(taken, budget_ms=5.0, noise_floor_percent=2.0)
    assert isinstance(certificate, Certificate)
    with pytest.raises(ValidationError):
        Certificate.model_validate({**certificate.model_dump(), "blocks": ()})


def test_a_switch_of_the_protocol_is_no_number(taken: Measurement) -> None:
    certificate = certify(taken, budget_ms=5.0, noise_floor_percent=2.0)
    assert isinstance(certificate, Certificate)
    content = certificate.model_dump(mode="json") | {"protocol": {**certificate.protocol, "normalise": 1e308}}
    with pytest.raises(ValidationError, match="neither true nor false"):
        Certificate.model_validate(content)
