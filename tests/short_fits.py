"""Fits of two attention networks and of few trees, in few steps, for tests of what is done with a predictor.

``python -m tests.short_fits WORD...`` is the command line with such fits.
"""

from latency.fit import fit_device
from latency.predictors.additive import trees
from latency.predictors.attention.training import TrainingSettings


def shorten(steps: int = 100) -> None:
    """Changes the defaults of ``fit_device`` in this process."""
    fit_device.__kwdefaults__.update(settings=TrainingSettings(steps=steps), members=2)
    trees.BOOSTED = 40


if __name__ == "__main__":
    from latseg.cli import main
    from tests.short_feasibility import sample_less

    shorten()
    sample_less(60)
    main()
