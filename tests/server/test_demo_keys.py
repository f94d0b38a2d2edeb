"""Listening for keys changes nothing for what is written to the same terminal, and the terminal gets its ways back."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios

PROGRAM = """
import asyncio, os, sys, uvloop
from server.demo.keys import Keys

async def main():
    pressed = asyncio.get_running_loop().create_future()
    keys = Keys.listen(pressed.set_result)
    assert keys is not None
    print("ready", flush=True)
    key = await pressed
    keys.close()
    print(key, os.get_blocking(sys.stdin.fileno()), os.get_blocking(sys.stdout.fileno()), flush=True)

uvloop.run(main())
"""


def test_the_terminal_stays_blocking_for_those_who_write_and_is_given_back() -> None:
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    # A session of its own, whose terminal this is: else there are no keys.
    start = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    child = subprocess.Popen(
        [sys.executable, "-c", start + PROGRAM], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    try:
        said = b""
        while b"ready" not in said:
            said += os.read(ours, 1024)
        os.write(ours, b"k")
        while b"k True True" not in said:
            said += os.read(ours, 1024)
            assert b"Error" not in said and b"False" not in said, said
        assert child.wait(30) == 0
        assert termios.tcgetattr(theirs) == before
    finally:
        child.kill()
        child.wait()
        os.close(ours)
        os.close(theirs)
