"""Runs a slow-paced campaign on the simulated device until it is killed; prints each label once it is stored.

Usage: python -m tests.latency.campaign_runner PATH [GROUP_SIZE]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from latency.campaign import run_campaign
from latency.campaign_result import CampaignProgress
from latency.store import MeasurementStore
from tests.latency.test_campaign import QUICK, Watched, campaign_items, nets


def report(progress: CampaignProgress) -> None:
    sys.stdout.write(progress.label + "\n")
    sys.stdout.flush()
    time.sleep(0.3)


if __name__ == "__main__":
    with MeasurementStore(Path(sys.argv[1])) as store:
        size = int(sys.argv[2]) if len(sys.argv) > 2 else 8
        run_campaign(Watched(), store, campaign_items(nets(), 0), protocol=QUICK, group_size=size, on_progress=report)
