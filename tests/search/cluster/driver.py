"""A search of watched nets on a cluster, as a process that can be killed: ``driver.py FOLDER ADDRESS``.

It prints a line when it is connected and one when it has ended.
"""

from __future__ import annotations

import sys
from pathlib import Path

from devices.cluster.connection import connected
from search.cluster.ray_workers import RayWorkers
from tests.search.cluster.toys import toy_config, toy_search


def main(folder: Path, address: str) -> None:
    config = toy_config()
    with connected(address) as connection:
        workers = RayWorkers(connection, config.training)
        print("connected", flush=True)  # noqa: T201
        found = toy_search(folder, config, workers, lambda moment: print(moment.note, file=sys.stderr, flush=True))  # noqa: T201
    print(" ".join(trial.id for trial in found.trials), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
