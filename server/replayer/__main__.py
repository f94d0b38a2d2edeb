"""``python -m server.replayer CONTROL_FD PARENT_PID``: one replayer process, started by the supervisor."""

from server.process import run_child
from server.replayer.main import main

if __name__ == "__main__":
    run_child(main)
