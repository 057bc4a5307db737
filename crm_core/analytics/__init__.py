"""The figures. Each counts in SQL, over one filter, as of now or of any past instant (docs/metrics.md)."""
