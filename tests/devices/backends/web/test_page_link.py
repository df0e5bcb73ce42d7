"""Pages come and go; orders and answers find each other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from devices.backends.web import page_link
from devices.backends.web.orders import PageDescription
from devices.backends.web.page_link import Order, PageLink, PageReplacedError
from devices.worker.runtime import RuntimeLostError
from tests.devices.backends.web.test_orders import DESCRIPTION

PHONE = PageDescription.model_validate(DESCRIPTION)


class Page:
    """What ``page.js`` does, with an engine that repeats the order twice."""

    def __init__(self, link: PageLink, instance: str, description: PageDescription = PHONE) -> None:
        self.link = link
        self.description = description
        self.instance = instance
        self.received = 0
        self.ended: list[int] = []
        self.open = True
        self.thread = threading.Thread(target=self.work)

    def fetch(self) -> Order | None:
        with self.link.request(self.instance, self.description, self.received, lambda: self.open) as order:
            return order

    def work(self) -> None:
        while self.open:
            order = self.fetch()
            if order is None:
                continue
            self.received = order.number
            if order.body:
                self.link.answer(order.number, 2 * order.body)
            else:
                self.ended.append(order.session)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_link, "_LOOK_S", 0.01)
    monkeypatch.setattr(page_link, "_GRACE_S", 0.1)


@pytest.fixture
def page() -> Iterator[Page]:
    made = Page(PageLink(), "a")
    made.thread.start()
    assert made.link.wait_until_present(5.0)
    yield made
    made.open = False
    made.thread.join()


def test_every_order_gets_its_answer(page: Page) -> None:
    sessions = [page.link.open_session() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda at: sessions[at % 4].ask(b"%d" % at), range(40)))
    assert answers == [2 * (b"%d" % at) for at in range(40)]
    sessions[2].end()
    sessions[2].ask(b"later")
    assert page.ended == [sessions[2].number]
    assert page.link.description == PHONE


def test_without_a_page_nothing_is_asked() -> None:
    link = PageLink()
    assert not link.is_present
    assert not link.wait_until_present(0.01)
    with pytest.raises(RuntimeLostError):
        link.open_session().ask(b"order")


def test_a_page_that_leaves_is_missed(page: Page) -> None:
    session = page.link.open_session()
    page.open = False
    page.thread.join()
    with pytest.raises(RuntimeLostError, match="closed"):
        session.ask(b"order")
    time.sleep(0.15)
    assert not page.link.is_present


def test_a_page_between_two_requests_is_there(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_link, "_GRACE_S", 60.0)
    page.open = False
    assert page.link.is_present


def test_a_page_that_is_opened_anew_takes_the_place_of_the_former() -> None:
    link = PageLink()
    first, second = Page(link, "a"), Page(link, "b")
    with ThreadPoolExecutor(2) as pool:
        former = pool.submit(first.work)
        assert link.wait_until_present(5.0)
        session = link.open_session()
        assert session.ask(b"x") == b"xx"
        present = pool.submit(second.work)
        with pytest.raises(PageReplacedError):
            former.result(5.0)
        with pytest.raises(PageReplacedError):
            first.fetch()
        with pytest.raises(RuntimeLostError):
            session.ask(b"x")
        session.end()
        assert link.open_session().ask(b"y") == b"yy"
        second.open = False
        present.result(5.0)
    assert second.ended == []


def test_an_order_that_did_not_arrive_is_given_again() -> None:
    link = PageLink()
    page = Page(link, "a")
    with link.request("a", PHONE, 0, lambda: False) as nothing:
        assert nothing is None
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(link.open_session().ask, b"order")
        lost = page.fetch()
        assert lost is not None
        assert page.fetch() == lost
        page.received = lost.number
        link.answer(lost.number, b"answer")
        link.answer(lost.number + 1, b"to nothing")
        assert asked.result(5.0) == b"answer"
        page.open = False
        assert page.fetch() is None


def test_who_asks_may_give_up(page: Page) -> None:
    wanted = True
    session = page.link.open_session(lambda: wanted)
    assert session.ask(b"x") == b"xx"
    wanted = False
    with pytest.raises(RuntimeLostError):
        session.ask(b"x")
