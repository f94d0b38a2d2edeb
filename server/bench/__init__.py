"""The load test: many agents against a whole server, measured where it counts, and checked against the logs.

`run.py` drives one run (server and agents in processes of their own), `figures.py` turns counters into figures,
`audit.py` looks for every acknowledged outcome in the logs, `report.py` prints and writes the result. Nothing here
 is used by a server that players connect to.
"""
