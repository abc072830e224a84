"""Reports: tables, plots and panels made from saved rows and arrays; none computes a new result."""
