"""Files a device runs, their parity, the bundle with its certificate, and verification."""
