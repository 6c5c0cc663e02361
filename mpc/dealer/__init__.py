"""Correlated randomness: a helper process deals it and sees no data."""
