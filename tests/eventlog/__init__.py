"""The promises of the event log."""
