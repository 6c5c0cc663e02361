"""The performance-critical encrypted mathematics, side by side with what a user would pick instead."""
