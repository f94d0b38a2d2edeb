"""The checker: a process that re-executes worlds on spare processor time, to see that they are still the same."""
