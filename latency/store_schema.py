"""Tables, indices and triggers of the measurement store, which is append-only."""

from __future__ import annotations

_TABLES = {
    "devices": "fingerprint TEXT PRIMARY KEY, info TEXT NOT NULL",
    "graphs": "key TEXT PRIMARY KEY, graph TEXT NOT NULL",
    "measurements": """id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL REFERENCES devices, label TEXT NOT NULL,
        source TEXT NOT NULL, graph_key TEXT NOT NULL REFERENCES graphs, latency_ms REAL NOT NULL,
        measurement TEXT NOT NULL, checksum TEXT""",
    "failures": """id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL REFERENCES devices, label TEXT NOT NULL,
        source TEXT NOT NULL, model_sha256 TEXT NOT NULL, reason TEXT NOT NULL, started_at TEXT NOT NULL,
        checksum TEXT""",
    "reference_times": """id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL REFERENCES devices,
        nominal_ms REAL NOT NULL, checksum TEXT""",
    "noise_floors": """id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL REFERENCES devices,
        normalised_percent REAL NOT NULL, raw_percent REAL NOT NULL, repeats INTEGER NOT NULL, checksum TEXT""",
}
OPERATORS = "CASE WHEN json_valid(graph) THEN json_array_length(graph, '$.operators') END"
"""Number of operators of a row of ``graphs``."""
_INDICES = ("measurements", "failures", "reference_times", "noise_floors")


def _statements() -> tuple[str, ...]:
    tables = [f"CREATE TABLE IF NOT EXISTS {table} ({columns}) STRICT" for table, columns in _TABLES.items()]
    triggers = [
        f"CREATE TRIGGER IF NOT EXISTS {table}_{change.lower()} BEFORE {change} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for table in _TABLES
        for change in ("UPDATE", "DELETE")
    ]
    indices = [f"CREATE INDEX IF NOT EXISTS {table}_by_device ON {table} (fingerprint)" for table in _INDICES]
    indices += [
        "CREATE INDEX IF NOT EXISTS measurements_by_label ON measurements (fingerprint, label)",
        "CREATE INDEX IF NOT EXISTS measurements_by_graph ON measurements (graph_key)",
        f"CREATE INDEX IF NOT EXISTS graphs_by_operators ON graphs ({OPERATORS})",
    ]
    return (*tables, *triggers, *indices)


STATEMENTS = _statements()
