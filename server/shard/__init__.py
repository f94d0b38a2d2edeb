"""Tick workers: each shard process owns worlds, ticks them, logs them, and answers for them."""
