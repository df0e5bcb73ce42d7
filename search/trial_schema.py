"""Tables and indices of the trial store."""

from __future__ import annotations

STATEMENTS = (
    "CREATE TABLE IF NOT EXISTS identity (key TEXT PRIMARY KEY, value TEXT NOT NULL, checksum TEXT)",
    """CREATE TABLE IF NOT EXISTS trials (
  position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, architecture TEXT NOT NULL,
  generation INTEGER NOT NULL, parameters INTEGER NOT NULL, flops INTEGER NOT NULL, predicted_ms TEXT NOT NULL,
  upper_ms TEXT NOT NULL, quality REAL NOT NULL, seconds REAL NOT NULL, created TEXT NOT NULL,
  checksum TEXT)""",
    """CREATE TABLE IF NOT EXISTS rejections (
  generation INTEGER NOT NULL, architecture TEXT NOT NULL, violated TEXT NOT NULL, repaired INTEGER NOT NULL,
  checksum TEXT, PRIMARY KEY (generation, architecture, violated))""",
    "CREATE INDEX IF NOT EXISTS rejections_by_constraint ON rejections (violated)",
    """CREATE TABLE IF NOT EXISTS findings (
  position INTEGER PRIMARY KEY AUTOINCREMENT, trial TEXT NOT NULL REFERENCES trials (id), device TEXT NOT NULL,
  measured_ms REAL, low_ms REAL, high_ms REAL, holds INTEGER NOT NULL, simulated INTEGER NOT NULL,
  reason TEXT NOT NULL, created TEXT NOT NULL, checksum TEXT, UNIQUE (trial, device))""",
    """CREATE TABLE IF NOT EXISTS predictions (
  position INTEGER PRIMARY KEY AUTOINCREMENT, trial TEXT NOT NULL REFERENCES trials (id), device TEXT NOT NULL,
  predictor TEXT NOT NULL, latency_ms REAL NOT NULL, widening_ms REAL NOT NULL, checksum TEXT)""",
    """CREATE TABLE IF NOT EXISTS exhaustions (
  position INTEGER PRIMARY KEY AUTOINCREMENT, stop INTEGER NOT NULL UNIQUE, trials INTEGER NOT NULL, checksum TEXT)""",
)
ADDED = frozenset({"predictions", "exhaustions"})
"""Tables that files of older versions lack."""
