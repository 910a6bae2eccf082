"""Benchmarks: every step's pace against what the driver alone can do, measured in the same run. See README.md here."""
