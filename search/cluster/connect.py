"""Connects a search to a cluster, and its evaluator to the workers there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from devices.cluster.connection import connected
from foundation.errors import UserError
from foundation.progress import OnProgress
from search.architecture import Architecture
from search.cluster.fleet_progress import FleetProgress
from search.cluster.ray_workers import RayWorkers
from search.cluster.trainer import ClusterTrainer
from search.cluster.training_job import training_job
from search.cluster.workers import Workers
from search.evaluators.evaluator import Evaluator
from search.evaluators.registry import EVALUATORS
from search.evaluators.trainer import TrainsCandidates
from search.run_config import RunConfig
from search.run_context import RunContext


@contextmanager
def cluster_workers(address: str | None, config: RunConfig) -> Iterator[Workers | None]:
    """The workers of the cluster at ``address``, for the trainings of a run; None without an address.

    Raises:
        UserError: the run's evaluator trains no candidates, or the cluster cannot be used.
    """
    if address is None:
        yield None
        return
    if config.evaluator is None or not issubclass(EVALUATORS.parse(config.evaluator)[0], TrainsCandidates):
        raise UserError(
            "--cluster", seen=f"the evaluator {config.evaluator}, which gives no work away",
            expected="one that trains each candidate on its own",
            remedy="write --evaluator training or regression for a new run, or leave --cluster out",
        )  # fmt: skip
    with connected(address) as connection:
        workers = RayWorkers(connection, config.training)
        try:
            yield workers
        finally:
            workers.close()


def give_away(evaluator: Evaluator, workers: Workers, context: RunContext, on_progress: OnProgress) -> OnProgress:
    """Has the evaluator's candidates trained by ``workers``; returns the progress callback that tells of them, too."""
    assert isinstance(evaluator, TrainsCandidates)
    progress = FleetProgress(on_progress)

    def job(architecture: Architecture, epochs: int) -> str:
        return training_job(context.config, architecture, epochs, context.task.fingerprint)

    evaluator.trainer = ClusterTrainer(workers, job, context.folder.path, progress.tell)
    return progress
