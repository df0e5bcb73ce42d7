"""What a predictor said of a net: with another calibration of the same predictor, the net is not predicted again."""

from __future__ import annotations

from dataclasses import dataclass

from latency.bounded import BoundedPrediction, BoundedPredictor


@dataclass(frozen=True, slots=True)
class KnownPrediction:
    """A prediction without the bound, which depends on the calibration."""

    predictor: str
    """Its ``latency.bounded.BoundedPredictor.identity``."""
    latency_ms: float
    widening_ms: float
    """Part of the upper bound that no calibration changes."""

    def upper_ms(self, predictor: object) -> float | None:
        """The bound as ``predictor`` is calibrated; None where another predictor made the prediction."""
        if not isinstance(predictor, BoundedPredictor) or predictor.identity != self.predictor:
            return None
        return predictor.calibration.upper_ms(self.latency_ms, self.widening_ms)


def known_prediction(predictor: object, prediction: object) -> KnownPrediction | None:
    """What to keep of a prediction; None where the predictor cannot be recognised later."""
    if not isinstance(predictor, BoundedPredictor) or not isinstance(prediction, BoundedPrediction):
        return None
    if not predictor.identity:
        return None
    return KnownPrediction(predictor.identity, float(prediction.latency_ms), float(prediction.widening_ms))
