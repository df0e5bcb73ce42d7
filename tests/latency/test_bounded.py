from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devices.device_info import DeviceInfo
from foundation.errors import UserError
from latency.bounded import BoundedPredictor
from latency.calibration import ISOLATED_WIDENING, Calibration
from latency.operators import builders
from latency.operators.operator import OperatorGraph
from latency.predictors.additive.lookup_table import LookupTablePredictor
from latency.predictors.folder import read_document, write_json
from latency.sample import KernelTime, LatencySample
from latseg.testing.synthetic import measured, random_graphs

INFO = DeviceInfo("simulated", "none", "none", "1.0", 1, "float32", simulated=True)


@pytest.fixture(scope="module")
def bounded() -> BoundedPredictor:
    predictor = LookupTablePredictor()
    predictor.fit(measured(random_graphs(20, 0)))
    return BoundedPredictor(predictor, Calibration.of([1.1] * 20), INFO)


def test_the_bound_lies_above_the_prediction(bounded: BoundedPredictor) -> None:
    for prediction in bounded.predict([sample.graph for sample in measured(random_graphs(20, 0))]):
        assert prediction.unseen == ()
        assert prediction.upper_ms == pytest.approx(1.1 * prediction.latency_ms)
        assert sum(prediction.operators_ms) + prediction.overhead_ms == pytest.approx(prediction.latency_ms)


def test_all_times_follow_the_nominal_time_of_the_reference_net(bounded: BoundedPredictor, tmp_path: Path) -> None:
    graphs = [sample.graph for sample in measured(random_graphs(3, 0))]
    assert bounded.on_scale(0.5) is bounded, "an older predictor does not know its own"
    replace(bounded, nominal_reference_ms=1.0).save(tmp_path)
    before = BoundedPredictor.load(tmp_path)
    assert before.on_scale(1.0) is before.on_scale(None) is before
    after = before.on_scale(0.5)
    assert before.identity != after.identity != ""
    for first, second in zip(before.predict(graphs), after.predict(graphs), strict=True):
        assert second.latency_ms == pytest.approx(first.latency_ms / 2)
        assert second.upper_ms == pytest.approx(first.upper_ms / 2)
        assert sum(second.operators_ms) + second.overhead_ms == pytest.approx(second.latency_ms)


@pytest.mark.parametrize("nominal", [0, -1, "many", [1.0]])
def test_an_impossible_nominal_time_is_damage(bounded: BoundedPredictor, tmp_path: Path, nominal: object) -> None:
    bounded.save(tmp_path)
    path = tmp_path / "bounded.json"
    write_json(path, {**read_document(path, "bounded"), "nominal_reference_ms": nominal})
    with pytest.raises(UserError, match="ValidationError"):
        BoundedPredictor.load(tmp_path)


def test_an_unseen_operator_widens_the_bound(bounded: BoundedPredictor) -> None:
    shape = (1, 32, 32, 32)
    strange = builders.operator("Einsum", (("equation", "ij"),), (shape,), (shape,), flops=10**7)
    prediction = bounded.predict([OperatorGraph((strange,), ((-1,),), (shape,))])[0]
    assert prediction.unseen == (0,)
    assert prediction.upper_ms > 2.5 * prediction.latency_ms


def test_an_operator_measured_in_isolation_widens_the_bound_less(tmp_path: Path) -> None:
    shape = (1, 32, 32, 32)
    strange = builders.operator("Einsum", (("equation", "ij"),), (shape,), (shape,), flops=10**7)
    graph = OperatorGraph((strange,), ((-1,),), (shape,))
    isolated = LatencySample("strange", graph, 0.5, (KernelTime((0,), 0.5),), single_operator=True)
    nets = measured(random_graphs(20, 0))

    def bounded(samples: list[LatencySample]) -> BoundedPredictor:
        predictor = LookupTablePredictor()
        predictor.fit(samples)
        return BoundedPredictor(predictor, Calibration.of([1.0] * 20), INFO)

    bounded([*nets, isolated]).save(tmp_path)
    first = BoundedPredictor.load(tmp_path).predict([graph])[0]
    assert (first.unseen, first.isolated) == ((), (0,))
    assert first.upper_ms == pytest.approx(first.latency_ms + ISOLATED_WIDENING * first.operators_ms[0])
    within = bounded([*nets, replace(isolated, single_operator=False)]).predict([graph])[0]
    assert (within.unseen, within.isolated) == ((), ())
    assert within.upper_ms == pytest.approx(within.latency_ms)


def test_save_and_load_keep_everything(bounded: BoundedPredictor, tmp_path: Path) -> None:
    recalibrated = bounded.recalibrated([1.3])
    recalibrated.save(tmp_path)
    recalibrated.save(tmp_path)
    loaded = BoundedPredictor.load(tmp_path, device=INFO)
    graphs = random_graphs(5, 3)
    expected = [prediction.upper_ms for prediction in recalibrated.predict(graphs)]
    assert [prediction.upper_ms for prediction in loaded.predict(graphs)] == pytest.approx(expected, rel=1e-9)
    assert loaded.device_info.fingerprint == INFO.fingerprint
    assert loaded.device_info.runtime_version == "1.0"
    assert sum(path.is_dir() for path in tmp_path.iterdir()) == 1


def test_the_same_files_have_one_identity(bounded: BoundedPredictor, tmp_path: Path) -> None:
    other = LookupTablePredictor()
    other.fit(measured(random_graphs(20, 1)))
    folders = [tmp_path / name for name in "abc"]
    for one, folder in zip((bounded, bounded, replace(bounded, predictor=other)), folders, strict=True):
        one.save(folder)
    first, second, third = (BoundedPredictor.load(folder) for folder in folders)
    assert first.identity == second.identity == first.recalibrated([1.3]).with_near_budget([1.2]).identity
    assert third.identity not in {first.identity, "", bounded.identity}


def test_a_folder_lists_the_training_nets_and_older_ones_are_read(bounded: BoundedPredictor, tmp_path: Path) -> None:
    learned = replace(bounded, learned=frozenset({"b" * 20, "a" * 20}))
    learned.save(tmp_path)
    assert BoundedPredictor.load(tmp_path).learned == learned.learned
    document = json.loads((tmp_path / "bounded.json").read_text())
    del document["learned"], document["calibration"]["near_budget"], document["files"], document["sha256"]
    document["schema"] = 5
    (tmp_path / "bounded.json").write_text(json.dumps(document))
    old = BoundedPredictor.load(tmp_path)
    assert (old.learned, old.calibration) == (frozenset(), bounded.calibration)


def test_a_predictor_of_an_older_version_is_read() -> None:
    """Written at 115e2da, when ``fit`` handed over the weighted mean for any number of nets."""
    stored = BoundedPredictor.load(Path(__file__).parent / "stored_predictor", device=INFO)
    assert stored.predictor.name == "arbitrated"
    calibrated = [one.upper_ms - one.widening_ms for one in stored.predict(random_graphs(4, 9))]
    assert calibrated == pytest.approx([0.760802, 5.322932, 0.898766, 0.909449], rel=1e-5)


def test_an_interrupted_save_leaves_the_old_one(bounded: BoundedPredictor, tmp_path: Path, monkeypatch) -> None:
    bounded.save(tmp_path)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("latency.bounded.write_json", interrupted)
        with pytest.raises(KeyboardInterrupt):
            bounded.recalibrated([1.3]).save(tmp_path)
    assert BoundedPredictor.load(tmp_path).calibration == bounded.calibration


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hardware", "a faster one"),
        ("runtime", "other"),
        ("threads", 2),
        ("precision", "int8"),
        ("protocol_version", 99),
    ],
)
def test_a_predictor_of_another_device_is_refused(
    bounded: BoundedPredictor, tmp_path: Path, field: str, value: object
) -> None:
    bounded.save(tmp_path)
    other = replace(INFO, runtime_version="2.0", **{field: value})
    with pytest.raises(UserError, match=f"expected {field.replace('_', ' ')} {value}, as the device is now") as caught:
        BoundedPredictor.load(tmp_path, device=other)
    assert "latseg profile --device simulated" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "1.0" not in str(caught.value), "the version is not what it is refused for"


def test_another_version_of_the_runtime_is_accepted_with_a_warning(bounded: BoundedPredictor, tmp_path: Path) -> None:
    bounded.save(tmp_path)
    newer = replace(INFO, runtime_version="2.0")
    loaded = BoundedPredictor.load(tmp_path, device=newer)
    warning = loaded.version_warning(newer)
    assert warning is not None
    assert "none 1.0, the device now has 2.0" in warning
    assert "`latseg profile --device simulated`, `latseg fit --device simulated`" in warning
    assert loaded.version_warning(INFO) is None
    assert loaded.version_warning(replace(INFO, load_average=3.0)) is None


def test_missing_and_damaged_folders_are_refused(bounded: BoundedPredictor, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="latseg fit"):
        BoundedPredictor.load(tmp_path)
    bounded.save(tmp_path)
    path = tmp_path / "bounded.json"
    content = path.read_text()
    no_device = json.dumps(json.loads(content) | {"device": []})
    other = content.replace('"calibration"', '"other"')
    for damaged in (content[:50], "[]", other, content.replace("lookup_", "x"), no_device):
        path.write_text(damaged)
        with pytest.raises(UserError, match="latseg fit"):
            BoundedPredictor.load(tmp_path)


def leaves(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value that holds no others."""
    if isinstance(document, dict | list) and document:
        for key in document if isinstance(document, dict) else range(len(document)):
            yield from leaves(document[key], (*path, key))
    else:
        yield path


def changed(document: Any, path: tuple[Any, ...]) -> str:
    """The document's text with another value at ``path``."""
    copy = json.loads(json.dumps(document))
    *above, last = path
    place = copy
    for key in above:
        place = place[key]
    value = place[last]
    place[last] = f"{value}x" if isinstance(value, str) else value * 1.001 + 1 if isinstance(value, float) else 7
    return json.dumps(copy)


def test_no_changed_value_is_accepted(bounded: BoundedPredictor, tmp_path: Path) -> None:
    bounded.save(tmp_path)
    for path in sorted(tmp_path.rglob("*.json")):
        text = path.read_text()
        document = json.loads(text)
        for leaf in leaves(document):
            path.write_text(changed(document, leaf))
            with pytest.raises(UserError, match=r"predictor: got|run `latseg fit`"):
                BoundedPredictor.load(tmp_path)
        path.write_text(text.replace("0.", "NaN, 0.", 1) if "0." in text else "NaN")
        with pytest.raises(UserError, match="predictor"):
            BoundedPredictor.load(tmp_path)
        path.write_text(text)
    BoundedPredictor.load(tmp_path)


def test_files_of_another_fit_are_refused(bounded: BoundedPredictor, tmp_path: Path) -> None:
    bounded.save(tmp_path / "one")
    other = LookupTablePredictor()
    other.fit(measured(random_graphs(20, 1)))
    other.save(tmp_path / "one" / "first")
    with pytest.raises(UserError, match="not those that were written"):
        BoundedPredictor.load(tmp_path / "one")


def test_a_path_out_of_the_folder_is_not_followed(bounded: BoundedPredictor, tmp_path: Path) -> None:
    bounded.save(tmp_path / "good")
    bounded.save(tmp_path / "bad")
    path = tmp_path / "bad" / "bounded.json"
    path.write_text(path.read_text().replace('"folder": "first"', '"folder": "../good/first2"'))
    with pytest.raises(UserError, match="predictor"):
        BoundedPredictor.load(tmp_path / "bad")
