from __future__ import annotations

import signal

# A test run that was put into the background ignores Ctrl-C, and so would every process that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
