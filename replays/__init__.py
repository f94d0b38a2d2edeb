"""Re-executing logs: what a world was can be computed again from what was written down.

Needs only ``eventlog`` (what was written) and ``games`` (what it meant); no server, no socket, no clock.
"""
