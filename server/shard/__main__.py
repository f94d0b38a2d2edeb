"""``python -m server.shard CONTROL_FD PARENT_PID``: one shard process, started by the supervisor."""

from server.process import run_child
from server.shard.main import main

if __name__ == "__main__":
    run_child(main)
