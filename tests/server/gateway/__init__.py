"""Tests of the gateway: its pure parts one by one. The whole edge over real sockets is in tests/system/."""
