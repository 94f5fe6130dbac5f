"""Where scores are taken: regions, land and sea, and how much a cell counts."""
