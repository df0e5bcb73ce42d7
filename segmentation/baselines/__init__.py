"""Known networks, written from their papers, with which a searched one is compared."""
