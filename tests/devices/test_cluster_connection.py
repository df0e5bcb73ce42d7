"""Whether a cluster can be reached is said in one line, before Ray is asked."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from devices.cluster import connection
from devices.cluster.connection import connect, connected, started_here
from foundation.errors import UserError


@pytest.fixture(autouse=True)
def nothing_runs_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    monkeypatch.setattr(connection, "_STARTED", tmp_path / "ray_current_cluster")
    monkeypatch.setattr(connection, "import_module", None)  # Ray is not asked


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_an_address_at_which_nothing_answers_is_refused(address: str, closed_port: int) -> None:
    text = address.format(closed_port)
    with pytest.raises(
        UserError, match=f"Ray cluster {text}: got no answer .*; expected a cluster .*`ray start --head"
    ):
        connected(text).__enter__()


@pytest.mark.parametrize("address", ["board", "board:", ":6379", "board:http"])
def test_an_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(UserError, match=f"Ray cluster {address}: got '{address}', no HOST:PORT"):
        connected(address).__enter__()


def test_auto_is_the_cluster_of_this_machine_or_the_one_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, closed_port: int
) -> None:
    assert not started_here()
    with pytest.raises(UserError, match="Ray cluster auto: got none on this machine"):
        connected("auto").__enter__()
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{closed_port}")
    assert started_here()
    with pytest.raises(UserError, match=f"Ray cluster auto: got no answer of 127.0.0.1:{closed_port}"):
        connected("auto").__enter__()
    monkeypatch.delenv("RAY_ADDRESS")
    (tmp_path / "ray_current_cluster").write_text(f"127.0.0.1:{closed_port}")
    assert started_here()
    with pytest.raises(UserError, match=f"Ray cluster auto: got no answer of 127.0.0.1:{closed_port}"):
        connected("auto").__enter__()


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "find_spec", lambda _: None)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(UserError, match=r'Ray: got not installed; .*; run pip install "latseg\[cluster\]"'),
    ):
        connected(f"127.0.0.1:{server.getsockname()[1]}").__enter__()


@pytest.mark.parametrize(
    ("address", "same"),
    [
        *((address, True) for address in ("localhost:6379", "127.0.0.1:6379", "[::1]:6379", "10.0.0.5:6379")),
        *((address, False) for address in ("localhost:6380", "10.0.0.6:6379")),
    ],
)
def test_a_loopback_name_of_the_head_is_no_other_cluster(
    address: str, same: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = SimpleNamespace(
        is_initialized=lambda: True,
        get_runtime_context=lambda: SimpleNamespace(gcs_address="10.0.0.5:6379"),
        util=SimpleNamespace(get_node_ip_address=lambda: "10.0.0.5"),
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    if same:
        assert connect(address).ray is ray
    else:
        with pytest.raises(UserError, match=f"Ray cluster {address}: got a connection to 10.0.0.5:6379"):
            connect(address)


def test_what_ray_says_becomes_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        @staticmethod
        def is_initialized() -> bool:
            return False

        @staticmethod
        def init(**_: object) -> None:
            raise RuntimeError("Version mismatch: Ray 2.1\nThis process was started with:\n")

    monkeypatch.setattr(connection, "import_module", lambda _: Refusing)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(UserError, match=r"got Version mismatch: Ray 2.1; expected a cluster that runs this version"),
    ):
        connected(f"127.0.0.1:{server.getsockname()[1]}").__enter__()
