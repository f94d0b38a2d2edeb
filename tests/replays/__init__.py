"""Tests of replays/."""
