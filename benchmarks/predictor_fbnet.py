"""New devices on FBNet, a space that the predictors were not made for: operators differ in channels and resolution.

Protocol of ``public_devices.py`` with HELP's devices: of the source devices the nets 0 to 899 are known (HELP uses
4,000), of which the samples are drawn; 1,000 others are predicted. On pixel3, fpga, raspi4 and eyeriss latency is a sum
over layers, exactly: the table's authors added up measured blocks. ``--kind left-out`` predicts pixel3 from the other
sources.

Published for 10 samples, mean of the targets: HELP .910. Writes ``benchmarks/results/predictor_fbnet_<kind>.json``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from fbnet import FbnetLatencies
from public_devices import Nets, few_samples, learned_prior

from provenance import RESULTS, provenance, write_result

SOURCES = {
    "1080ti_1": "1080ti", "1080ti_32": "1080ti", "1080ti_64": "1080ti", "silver_4114": "silver",
    "silver_4210r": "silver", "samsung_a50": "samsung", "pixel3": "pixel", "essential_ph_1": "essential",
    "samsung_s7": "samsung",
}  # fmt: skip
"""Source devices and their families."""
LEFT_OUT = "pixel3"
DEVICES = {
    "validation": (("titanx_1", "titanx_32", "titanx_64", "gold_6240"), SOURCES),
    "target": (("fpga", "raspi4", "eyeriss"), SOURCES),
    "left-out": ((LEFT_OUT,), {name: family for name, family in SOURCES.items() if name != LEFT_OUT}),
}
"""By kind the devices, and the sources with their families."""
TRAINING, QUERIES = np.arange(900), np.arange(4000, 5000)
HELP = 0.910
"""Published for 10 samples, mean rank correlation of the targets."""


def main() -> None:
    """Runs the devices, writes the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, help="git directory of the public repository HayeonLee/HELP")
    parser.add_argument("--kind", choices=tuple(DEVICES), default="validation")
    parser.add_argument("--prior", type=Path, help="folder of the prior: made, or read where it exists")
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()
    devices, sources = DEVICES[options.kind]
    nets = Nets(FbnetLatencies.read(options.table), TRAINING, QUERIES)
    prior, seconds = learned_prior(nets, options.prior, sources)
    few = few_samples(nets, devices, options.repeats, prior)
    mean = few["10"]["mean"]["drawn"]
    document = {
        "benchmark": "predictor_fbnet",
        "kind": options.kind,
        "repeats": options.repeats,
        "sources": list(sources),
        "devices": list(devices),
        "few_samples": few,
        "prior_seconds": seconds,
        "published": {"HELP, 10 samples, targets": HELP},
        "goals": [
            {"what": f"{options.kind}, 10 nets: more than HELP", "goal": f"> {HELP}", "value": mean, "met": mean > HELP}
        ],
    }
    output = RESULTS / f"predictor_fbnet_{options.kind.replace('-', '_')}.json"
    write_result(output, document | provenance())


if __name__ == "__main__":
    main()
