"""Sequences of poses, and a person who moves through them."""
