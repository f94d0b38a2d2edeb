"""Tests of games/: what games are made of, the Lua runtime, and the shipped games."""
