"""What a game is: its manifest, the Lua runtime that executes its worlds, and one folder per game that ships.

Knows no socket, no log and no client. The invariant of this floor: the same code, engine, seed and entries give
the same world, byte for byte, in every process.
"""
