"""``worldline demo``: a server with sample bots, and a view of it in the terminal.

`run.py` starts and stops everything, `feed.py` follows the logs, `map.py` and `view.py` draw, `plain.py` prints lines
where there is no terminal. It shows a running server from outside; nothing here is part of one.
"""
