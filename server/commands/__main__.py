"""``python -m server.commands``: the same as the command ``worldline``."""

import sys

from server.commands import main

if __name__ == "__main__":
    sys.exit(main())
