"""The tests, by package; tests/system runs the whole server."""
