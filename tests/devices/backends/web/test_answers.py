"""What ``page.js`` sends where the connection is bad, or its answer is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from devices.backends.web import page

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
PAGE = Path(page.__file__).parent / "page.js"
PROGRAM = Path(__file__).parent / "page_in_node.mjs"


def answers(folder: Path, scenario: str) -> list[tuple[int, str]]:
    """Order and content of each answer of a page whose engine answers the orders 1 and 2 with these numbers."""
    shutil.copy(PAGE, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    ended = subprocess.run(["node", PROGRAM, folder, scenario], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return [(order, body) for order, body in json.loads(ended.stdout)]


def test_each_order_is_answered_once(tmp_path: Path) -> None:
    assert answers(tmp_path, "") == [(1, "1"), (2, "2")]


def test_an_answer_that_is_sent_again_answers_its_own_order(tmp_path: Path) -> None:
    """The next order comes while the reply to the first answer is being lost."""
    assert sorted(answers(tmp_path, "lost")) == [(1, "1"), (1, "1"), (2, "2")]


def test_an_answer_that_is_refused_is_an_error(tmp_path: Path) -> None:
    (first, second, third) = sorted(answers(tmp_path, "refused"))
    assert [first, third] == [(1, "1"), (2, "2")]
    assert second[0] == 1
    assert json.loads(second[1]) == {"error": "the outputs could not be sent: no answer to an order\n"}


def test_a_refused_error_is_not_repeated(tmp_path: Path) -> None:
    assert [order for order, _ in answers(tmp_path, "forbidden")].count(1) == 2
