from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from foundation.errors import UserError
from search.run_context import RunContext
from search.trial import DeviceResult
from search.winners.training import train_net
from tests.search.test_trials import make_trials


def test_a_net_that_the_device_rejected_is_not_trained() -> None:
    result = DeviceResult("cpu", 3.1, (3.0, 3.2), holds=False, reason="above the budget of 3 ms")
    rejected = replace(make_trials(1)[0], results=(result,))
    with pytest.raises(UserError, match="rejected by measurement \\(cpu: above the budget of 3 ms\\)"):
        train_net(cast("RunContext", None), rejected)
