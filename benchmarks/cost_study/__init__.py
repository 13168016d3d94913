"""The parts of `benchmarks/scaling.py`: which steps, what they cost by counting, how long they take."""
