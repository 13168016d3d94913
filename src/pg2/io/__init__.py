"""Reading and writing anything, bounded and atomic; it knows nothing of poses and networks."""
