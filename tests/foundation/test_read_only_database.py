from __future__ import annotations

import os
from pathlib import Path

import pytest

from foundation.errors import UserError
from latency.store import MeasurementStore
from tests.latency.measurements import INFO


@pytest.mark.parametrize("writable", [True, False])
def test_a_store_is_read_without_writing_to_its_folder(
    writable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.sqlite"
    with MeasurementStore(path) as store:
        store.remember_reference(INFO, 1.5)
    monkeypatch.setattr(os, "access", lambda *_: writable)
    before = sorted(tmp_path.iterdir())
    with MeasurementStore(path, read_only=True) as store:
        assert store.nominal_reference_ms(INFO) == 1.5
        if not writable:
            assert sorted(tmp_path.iterdir()) == before
        with pytest.raises(UserError, match="folder that can be written"):
            store.remember_reference(INFO, 2.0)


def test_what_is_still_in_the_log_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.sqlite"
    with MeasurementStore(path) as writer:
        writer.remember_reference(INFO, 1.5)
        monkeypatch.setattr(os, "access", lambda *_: False)
        with MeasurementStore(path, read_only=True) as store:
            assert store.nominal_reference_ms(INFO) == 1.5


def test_a_missing_store_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        MeasurementStore(tmp_path / "none.sqlite", read_only=True)
    assert not list(tmp_path.iterdir())
