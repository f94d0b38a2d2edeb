"""``python -m server.checker CONTROL_FD PARENT_PID``: the checker process, started by the supervisor.

It takes one order after the other and reports what came of it. It only reads the data folder, but for reports of
divergences; whenever it is killed, nothing is lost but the order it was at.

It runs only where nobody else wants the processor (SCHED_IDLE), if it is not told otherwise. A step of a world that
diverges may hang: then the kernel ends this process, by a timer that each step sets anew.

Not here: what is checked, and when (``server/checks.py``), and how (``replays/verify.py``).
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any, Final

from replays.verify import Stretch, Verdict, verify_world
from server import messages
from server.link import Link, attach
from server.logs import configure_logging
from server.process import run_child

NICE: Final = 19


async def main(control_fd: int) -> None:
    """Check what the supervisor orders, until it is gone."""
    lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    data, step_cpu_s = Path(), 0.0

    def on_message(link: Link[Any], message: messages.FromSupervisor) -> None:
        nonlocal data, step_cpu_s
        match message:
            case messages.ConfigureChecker():
                configure_logging(message.log_format, message.log_level, "checker")
                if message.priority == "idle":
                    _give_way()
                data, step_cpu_s = Path(message.data), message.step_cpu_s
            case messages.CheckWorld():
                link.send(_checked(data, message, step_cpu_s))

    def on_lost(_: Link[Any]) -> None:
        lost.set_result(None)

    control: Link[Any] = await attach(socket.socket(fileno=control_fd), messages.FromSupervisor, on_message, on_lost)
    await lost
    control.close()


def _give_way() -> None:
    """Run only when nothing else wants to."""
    os.nice(NICE)  # for kernels and containers that know no idle class
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except OSError:
        return  # not allowed here: nice it is


def _checked(data: Path, order: messages.CheckWorld, step_cpu_s: float) -> messages.WorldChecked:
    def begin_step() -> None:
        # Whatever hangs in Lua hears no other signal, and this one ends the process.
        signal.setitimer(signal.ITIMER_PROF, step_cpu_s)

    begin_step()
    try:
        verdict = verify_world(
            data,
            order.world,
            reports=data / messages.REPORTS_FOLDER,
            stretch=Stretch(order.from_tick, order.to_tick),
            before_step=begin_step,
        )
    except OSError as error:  # of the report, or of reading: the folder may be full, or not be there
        problem = f"{order.world} cannot be checked: {error} → make room, or give its files back to this user"
        verdict = Verdict(world=order.world, status="cannot", records=0, tick=0, seconds=0.0, problem=problem)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return messages.WorldChecked(
        world=order.world,
        status=verdict.status,
        tick=verdict.tick,
        problem=verdict.problem,
        differs=verdict.differs,
        report=verdict.report,
    )


if __name__ == "__main__":
    run_child(main)
