"""Protocols on shares: pure functions of one party's shares, its dealt randomness and a way to open."""
