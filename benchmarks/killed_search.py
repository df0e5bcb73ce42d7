"""A search in a process of its own, which is watched from outside, and killed at a chosen moment."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from random import Random

from kill_search_problem import SlowDevice, SlowEvaluator, bound_factor, fitted_budgets

from search.constraints.feasible_sampler import feasible_sampler
from search.loop import run_search
from search.settings import SearchSettings
from search.strategies.registry import make_strategy
from search.trial import Trial
from search.trials import TrialStore
from search.winners.finalist_feedback import FinalistFeedback
from tests.search.test_loop import SPACE
from tests.search.toy import certify

WINNERS = 2
RESERVE = 0.5
"""Half of the trials follow the first measurements of winners."""
ASKED = 4
"""Proposals by which the states of two strategies are compared."""
POLL_S = 0.002
LATEST_S = 0.01
"""After the store has the drawn number of trials; about two estimates."""
DRAWS = 20
"""After so many that came too late, it is given up."""

Moment = tuple[int, float]
"""Trials in the store, and seconds after that."""
Part = tuple[float, float]
"""Of something that is 1 as a whole, from where to where."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a search has left."""

    trials: list[Trial] = field(default_factory=list)
    measured: list[str] = field(default_factory=list)
    """Ids, in the order of their measurement."""
    widened: bool = False
    """Whether a rejection has widened the bound."""
    last: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Of the process that came to the end, ids: what it ``evaluated``, what it ``measured``, and the ``proposals`` that
    its strategy would make next."""


@dataclass(frozen=True, slots=True)
class KilledSearch:
    """A search that ends, or is killed; the next process continues it."""

    folder: Path
    """Absolute."""
    strategy: str
    trials: int
    seed: int

    def start(self) -> int:
        """A process that searches; its id."""
        self.folder.mkdir(parents=True, exist_ok=True)
        process = os.fork()
        if process:
            return process
        try:
            self._search()
        except BaseException as error:
            sys.stderr.write(f"{self.strategy}: {type(error).__name__}: {error}\n")
            os._exit(1)
        os._exit(0)

    def killed(self, trials: int, after_s: float) -> bool:
        """Starts it, and kills it so long after its store has so many trials.

        Returns:
            Whether it was searching, or preparing to: the process had not ended, nor come to its last proposals.
        """
        process = self.start()
        self.wait_for(process, trials)
        time.sleep(after_s)
        os.kill(process, signal.SIGKILL)
        return exit_code(process) == -signal.SIGKILL and not self._last.exists()

    def wait_for(self, process: int, trials: int) -> None:
        """Returns when the store has so many trials, or when the process has ended."""
        states = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while self.count() < trials and os.waitid(os.P_PID, process, states) is None:
            time.sleep(POLL_S)

    def count(self) -> int:
        """Trials in the store now; 0 also while it is being made."""
        if not self._store.is_file():
            return 0
        try:
            with closing(sqlite3.connect(f"{self._store.as_uri()}?mode=ro", uri=True)) as connection:
                return int(connection.execute("SELECT COUNT(*) FROM trials").fetchone()[0])
        except sqlite3.OperationalError:
            return 0

    def stored(self) -> Stored:
        """What the store holds, read without changing a file: a killed search is continued from what it left."""
        if not self.count():
            return Stored()
        last = self._last.read_text() if self._last.exists() else ""
        before = fitted_budgets()
        with TrialStore(self._store, read_only=True) as store:
            after = FinalistFeedback(SPACE, before)(store.measured_trials())
            widened = bound_factor(after) > bound_factor(before)
            return Stored(store.trials(), store.measured(), widened, json.loads(last or "{}"))

    @property
    def _store(self) -> Path:
        return self.folder / "trials.sqlite"

    @property
    def _last(self) -> Path:
        return self.folder / "last.json"

    def _search(self) -> None:
        """As ``search.launch`` does it; then writes what the strategy would propose next."""
        feedback, device = FinalistFeedback(SPACE, fitted_budgets()), SlowDevice()
        evaluator = SlowEvaluator(self.folder, seed=self.seed)
        amounts = {"trials": self.trials, "winners": WINNERS, "feasibility_samples": 30}
        settings = SearchSettings(**amounts, reserve=RESERVE, seed=self.seed)
        with TrialStore(self._store) as store:
            budgets = feedback.budgets
            strategy = make_strategy(self.strategy, SPACE, budgets, seed=self.seed)
            hooks = {"measure": device.measure, "certify": certify, "recalibrate": feedback}
            run_search(SPACE, budgets, evaluator, strategy, store, settings, **hooks)
        with self._last.open("w") as file:
            if not evaluator.prepared:  # the killed search had stored all that there is
                strategy.prepare(evaluator, feasible_sampler(SPACE, feedback.budgets))
            found = {"evaluated": evaluator.asked, "measured": device.measured, "proposals": strategy.ask(ASKED)}
            json.dump({what: [architecture.id for architecture in nets] for what, nets in found.items()}, file)


@dataclass(frozen=True, slots=True)
class Uninterrupted:
    """A search that ran to its end."""

    search: KilledSearch
    found: Stored
    seconds: float
    preparation_s: float
    """Until the first trial was stored."""

    @classmethod
    def of(cls, search: KilledSearch) -> Uninterrupted:
        """Runs it.

        Raises:
            RuntimeError: it fails; stderr says why.
        """
        began = time.monotonic()
        process = search.start()
        search.wait_for(process, 1)
        preparation_s, failed = time.monotonic() - began, exit_code(process) != 0
        seconds = time.monotonic() - began
        if failed:
            raise RuntimeError("the uninterrupted search fails; stderr says why")
        return cls(search, search.stored(), seconds, preparation_s)

    def in_search(self, part: Part, random: Random) -> Iterator[Moment]:
        """Moments after trials, in a part of them."""
        low, high = (1 + share * (self.search.trials - 1) for share in part)
        while True:
            yield min(int(random.uniform(low, high)), self.search.trials - 1), random.uniform(0, LATEST_S)

    def in_preparation(self, part: Part, random: Random) -> Iterator[Moment]:
        """A moment before the first trial, in a part of the time until then; after that, any: others may be faster."""
        yield 0, self.preparation_s * random.uniform(*part)
        while True:
            yield 0, self.preparation_s * random.random()


def hit(whole: Uninterrupted, folder: Path, moments: Iterator[Moment]) -> tuple[KilledSearch, Stored, int]:
    """Kills a search at the first moment that is not too late; with what it has left, and how many were too late."""
    for late, (trials, after_s) in enumerate(islice(moments, DRAWS)):
        search = replace(whole.search, folder=folder / str(late))
        if search.killed(trials, after_s):
            before = search.stored()
            if trials or not before.trials:
                return search, before, late
    raise RuntimeError(f"{DRAWS} kills came too late")


def exit_code(process: int) -> int:
    """Of a process when it ends; negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
