"""What of a net tells its quality: the regression of ``pretrained`` without some of its features, by cross validation.

The nets trained in advance are split into ten parts, five times anew; each part is predicted from the others. Writes
``benchmarks/results/quality_features.json``; a minute.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from provenance import RESULTS, provenance, write_result
from search.evaluators.graph_features import PIXELS, graph_features
from search.evaluators.quality_regression import QualityRegression
from search.spaces.portrait.space import PortraitSpace
from search.spaces.portrait.trained_nets import trained_nets

PARTS, REPEATS = 10, 5
SPACE = PortraitSpace(sizes=((128, 128),))
LEFT_OUT: dict[str, Callable[[str], bool]] = {
    "nothing": lambda _: False,
    "sizes of kernels": lambda name: name.startswith("kernel."),
    "operations and parameters of the whole net": lambda name: name in ("flops", "parameters"),
    "all of these": lambda name: name.startswith("kernel.") or name in ("flops", "parameters"),
}


def row(name: str, *, left_out: Callable[[str], bool]) -> dict[str, Any]:
    """Error in points of mean IoU, and Kendall's tau of the predictions."""
    known = trained_nets()
    graphs, truth = [SPACE.lower(net) for net in known.nets], np.array(known.qualities)
    without = {PIXELS} | {one for graph in graphs for one in graph_features(graph) if left_out(one)}
    errors, taus = [], []
    for repeat in range(REPEATS):
        order = Random(repeat).sample(range(len(graphs)), len(graphs))
        predicted = np.zeros(len(graphs))
        for part in range(PARTS):
            held_out = order[part::PARTS]
            others = sorted(set(order) - set(held_out))
            regression = QualityRegression([graphs[i] for i in others], truth[others].tolist(), without=without)
            predicted[held_out] = regression.predict([graphs[i] for i in held_out])[0]
        errors.append(100 * float(np.sqrt(np.mean((predicted - truth) ** 2))))
        taus.append(float(kendalltau(predicted, truth).statistic))
    return {"left_out": name, "error": round(float(np.mean(errors)), 2), "tau": round(float(np.mean(taus)), 3)}


def main() -> None:
    """Entry point."""
    rows = [row(name, left_out=left_out) for name, left_out in LEFT_OUT.items()]
    gains = [
        {
            "what": f"error without {one['left_out']}, less the error with it",
            "goal": "> 0",
            "value": round(one["error"] - rows[0]["error"], 2),
            "met": one["error"] > rows[0]["error"],
        }
        for one in rows[1:]
    ]
    document = {"nets": len(trained_nets().nets), "rows": rows, "goals": gains}
    write_result(RESULTS / "quality_features.json", {**document, "provenance": provenance()})


if __name__ == "__main__":
    main()
