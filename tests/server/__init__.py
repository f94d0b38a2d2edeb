"""Tests of the running system's parts."""
