"""The way to one page: orders wait here until it fetches them, and whoever ordered waits here for the answer.

The page's request for the next order is open all the time; while it is, or was until a moment ago, the page is there.
A page that is opened anew is another one: what was loaded into the former is gone.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from devices.backends.web.orders import PageDescription
from devices.worker.runtime import RuntimeLostError

_LOOK_S = 0.5
"""Between two looks at whether the other side is still there."""
_POLL_S = 20.0
"""A request for the next order is answered after this time, so that nothing between here and the page cuts it."""
_GRACE_S = 10.0
"""Time between two requests of a page that is there: the radio of a phone may sleep."""


class PageReplacedError(Exception):
    """This page was opened again, here or elsewhere."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a page fetches; an empty body ends the session."""

    number: int
    session: int
    body: bytes


class PageLink:
    """Threads of the server and threads that order meet here."""

    def __init__(self) -> None:
        self.description: PageDescription | None = None
        """None until the page was opened."""
        self._instance = ""
        self._replaced: set[str] = set()
        self._changed = threading.Condition()
        self._numbers = itertools.count(1)
        self._orders: deque[Order] = deque()
        self._answers: dict[int, bytes | None] = {}
        self._requests = 0
        self._left_at = 0.0

    @property
    def is_present(self) -> bool:
        """Whether the page is open."""
        return bool(self._instance) and (self._requests > 0 or time.monotonic() - self._left_at < _GRACE_S)

    def wait_until_present(self, timeout_s: float) -> bool:
        """Whether the page was open within this time."""
        with self._changed:
            return self._changed.wait_for(lambda: self.is_present, timeout_s)

    @contextmanager
    def request(
        self, instance: str, description: PageDescription, received: int, is_connected: Callable[[], bool]
    ) -> Iterator[Order | None]:
        """The page asks for its next order; None where there was none in time. It is there until the context ends.

        Args:
            instance: chosen by the page when it is opened.
            description: of its browser.
            received: number of the last order that reached it; a later one that it was given is given again.
            is_connected: whether the page still waits.

        Raises:
            PageReplacedError: the page was opened again.
        """
        with self._changed:
            self._join(instance, description)
            while self._orders and self._orders[0].number <= received:
                self._orders.popleft()
            self._requests += 1
        try:
            yield self._next(instance, is_connected)
        finally:
            with self._changed:
                self._requests -= 1
                self._left_at = time.monotonic()

    def answer(self, number: int, body: bytes) -> None:
        """The page answers an order; an answer that nobody waits for is dropped."""
        with self._changed:
            if number in self._answers:
                self._answers[number] = body
                self._changed.notify_all()

    def open_session(self, is_wanted: Callable[[], bool] = lambda: True) -> PageSession:
        """A session with an engine of its own in the page.

        Args:
            is_wanted: whether somebody still waits for its answers.
        """
        with self._changed:
            return PageSession(self, next(self._numbers), self._instance, is_wanted)

    def ask(self, session: PageSession, body: bytes) -> bytes:
        """See ``PageSession.ask``."""
        with self._changed:
            self._require(session)
            number = self._put(session, body)
            self._answers[number] = None
            try:
                while (answer := self._answers[number]) is None:
                    self._changed.wait(_LOOK_S)
                    self._require(session)
                return answer
            finally:
                del self._answers[number]

    def end(self, session: PageSession) -> None:
        """See ``PageSession.end``."""
        with self._changed:
            if session.instance == self._instance:
                self._put(session, b"")

    def _join(self, instance: str, description: PageDescription) -> None:
        if instance in self._replaced:
            raise PageReplacedError
        if instance != self._instance:
            self._replaced.add(self._instance)
            self._orders.clear()
            self._instance, self.description = instance, description
        self._changed.notify_all()

    def _next(self, instance: str, is_connected: Callable[[], bool]) -> Order | None:
        end = time.monotonic() + _POLL_S
        with self._changed:
            while not self._orders and instance == self._instance and time.monotonic() < end and is_connected():
                self._changed.wait(_LOOK_S)
            if instance != self._instance:
                raise PageReplacedError
            return self._orders[0] if self._orders else None

    def _put(self, session: PageSession, body: bytes) -> int:
        number = next(self._numbers)
        self._orders.append(Order(number, session.number, body))
        self._changed.notify_all()
        return number

    def _require(self, session: PageSession) -> None:
        if not (self.is_present and session.instance == self._instance and session.is_wanted()):
            raise RuntimeLostError("the page was closed")


@dataclass(frozen=True, slots=True)
class PageSession:
    """Orders of one worker process to the page that is open now."""

    link: PageLink
    number: int
    instance: str
    is_wanted: Callable[[], bool]

    def ask(self, order: bytes) -> bytes:
        """The answer to an order, however long it takes.

        Raises:
            RuntimeLostError: the page was closed or opened anew, or the answer is not wanted any more.
        """
        return self.link.ask(self, order)

    def end(self) -> None:
        """Ends the engine in the page."""
        self.link.end(self)
