"""What `worldline games check` finds out about a game: it is loaded, played by random bots, and its worlds are computed
again from the middle and in another process. ``check.py`` is the way in; the play itself runs in processes of its own.

Not here: what the command prints. Invariant: a check with the same seed plays the same games.
"""
