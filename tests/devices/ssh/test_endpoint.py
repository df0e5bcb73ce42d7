"""Two addresses of one machine, told by what ssh says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from devices.ssh.address import SshAddress
from devices.ssh.endpoint import endpoint

SSH = """#!/bin/sh
echo asked >> "$ASKED"
[ "$1" = -G ] || exit 1
for last; do :; done
case "$last" in
  *alias) printf 'user me\\nhostname 10.0.0.7\\nport 2222\\nproxyjump none\\n' ;;
  inner) printf 'hostname 10.0.0.7\\nport 2222\\nproxyjump gate\\n' ;;
  *) exit 255 ;;
esac
"""


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    endpoint.cache_clear()
    yield
    endpoint.cache_clear()


def of(text: str) -> str:
    return endpoint(SshAddress.parse(f"{text}/cpu")[0])


def test_user_and_usual_port_make_no_other_machine() -> None:
    assert of("ssh://me@board.invalid") == of("ssh://Board.invalid:22") == of("ssh://you@board.invalid:22")
    assert len({of("ssh://board.invalid"), of("ssh://board.invalid:23"), of("ssh://board2.invalid")}) == 3


def test_an_alias_is_the_machine_that_ssh_connects_to(
    script: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    asked = tmp_path_factory.mktemp("asked") / "asked"
    monkeypatch.setenv("ASKED", str(asked))
    script("ssh", SSH)
    assert of("ssh://alias") == of("ssh://me@alias") == of("ssh://10.0.0.7:2222") == "ssh://10.0.0.7:2222"
    assert of("ssh://inner") not in {of("ssh://alias"), of("ssh://elsewhere")}
    assert of("ssh://alias") == "ssh://10.0.0.7:2222"
    assert asked.read_text().count("asked") == 5


def test_without_ssh_the_address_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert of("ssh://me@[::1]") == of("ssh://[::1]:22") == "ssh://::1:22"
