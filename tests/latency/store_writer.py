"""Writes measurements to a store until it is done or killed; prints each label once it is stored.

Usage: python -m tests.latency.store_writer PATH PREFIX COUNT
"""

from __future__ import annotations

import sys
from pathlib import Path

from latency.store import MeasurementStore
from tests.latency.graphs import small_net
from tests.latency.measurements import measurement


def main(path: str, prefix: str, count: str) -> None:
    graph = small_net()
    with MeasurementStore(Path(path)) as store:
        for number in range(int(count)):
            label = f"{prefix}-{number}"
            store.add_measurement(measurement(label, blocks=61), graph, source="campaign")
            sys.stdout.write(label + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
