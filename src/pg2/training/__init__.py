"""Training: the only place that knows optimisers."""
