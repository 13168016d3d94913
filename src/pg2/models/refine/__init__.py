"""Second stages: one file each."""
