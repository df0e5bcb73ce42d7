"""How noisy latencies are, as all Gaussian processes of this package assume."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Values = TypeVar("Values", NDArray[np.float64], Tensor)


def noise_shape(y: Values) -> Values:
    """Noise variance over that of a net of the mean latency; ``y`` are latencies over that mean."""
    return 0.25 + 0.75 * y**2
