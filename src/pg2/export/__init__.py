"""Models as graphs that run without PyTorch: written, checked, and run."""
