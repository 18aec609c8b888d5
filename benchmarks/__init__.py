"""Benchmarks of this program: `python -m benchmarks --list`."""
