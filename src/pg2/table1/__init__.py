"""The paper's Table 1 by one command: six models, the same budget, seed and pairs."""
