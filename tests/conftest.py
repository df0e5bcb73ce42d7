from __future__ import annotations

import signal

from hypothesis import settings

# How long an example takes says more of the machine than of the code.
settings.register_profile("latseg", deadline=None)
settings.load_profile("latseg")

# A test run that was put into the background ignores Ctrl-C, and so would every process that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
