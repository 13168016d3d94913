"""From what owners release to batches. Knows nothing of networks."""
