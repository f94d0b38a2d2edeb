"""Watching a world from the terminal (``worldline watch``): a client like any other, which sees what spectators see."""
