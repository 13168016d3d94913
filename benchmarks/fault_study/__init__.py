"""The parts of `benchmarks/faults.py`: what is done to pg2, and what becomes of it."""
