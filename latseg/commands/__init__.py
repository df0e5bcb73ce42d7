"""One file per command; this is their register, in the order in which help lists them.

A name of two words is a command of a group.
"""

from __future__ import annotations

from collections.abc import Callable

from latseg.commands.analyse import analyse
from latseg.commands.check import check
from latseg.commands.compare import compare
from latseg.commands.data import check as check_data
from latseg.commands.demo import demo
from latseg.commands.describe import describe
from latseg.commands.devices import devices
from latseg.commands.doctor import doctor
from latseg.commands.evaluate import evaluate
from latseg.commands.export import export
from latseg.commands.feasibility import feasibility
from latseg.commands.fit import fit
from latseg.commands.fix import fix
from latseg.commands.install import install
from latseg.commands.measure import measure
from latseg.commands.predict import predict
from latseg.commands.pretrain import pretrain
from latseg.commands.profile import profile
from latseg.commands.report import report
from latseg.commands.search import search
from latseg.commands.segment import segment
from latseg.commands.serve import serve
from latseg.commands.train import train
from latseg.commands.transfer import transfer
from latseg.commands.verify import verify

COMMANDS: dict[str, Callable[..., None]] = {
    "doctor": doctor,
    "devices": devices,
    "install": install,
    "serve": serve,
    "profile": profile,
    "pretrain": pretrain,
    "fit": fit,
    "predict": predict,
    "measure": measure,
    "compare": compare,
    "check": check,
    "fix": fix,
    "feasibility": feasibility,
    "describe": describe,
    "data check": check_data,
    "search": search,
    "train": train,
    "transfer": transfer,
    "export": export,
    "verify": verify,
    "evaluate": evaluate,
    "segment": segment,
    "report": report,
    "analyse": analyse,
    "demo": demo,
}
GROUPS = {"data": "Look into data."}
"""Help of the groups."""
