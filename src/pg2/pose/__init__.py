"""What a pose is, where it comes from and how it is drawn. Knows nothing of learning."""
