"""How a process of the server logs: one line of text or one JSON object per event, on standard error.

A traceback is written only at level debug: else an error is one line that says what and where, even one that ends the
process or a thread. Nothing of a client's text is interpreted: line breaks in a message become spaces, so one event is
one line. Whoever logs something about one connection, agent or world names it: ``extra={"world": …}``.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from types import TracebackType
from typing import Final, Literal

import msgspec

LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

ABOUT: Final = ("connection", "agent", "world")
"""What a line may be about: the other side's address and port, an agent's id, a world's id."""

# Libraries that narrate every connection; their warnings and errors still come through.
_TALKATIVE: Final = ("websockets", "asyncio")


class _Formatter(logging.Formatter):
    """What both formats share: the process's name, and what becomes of an exception."""

    def __init__(self, process: str, *, tracebacks: bool) -> None:
        super().__init__()
        self.process = process
        self.tracebacks = tracebacks

    def message(self, record: logging.LogRecord) -> str:
        """The event in one line; an exception is named, its traceback is not in it."""
        text = record.getMessage()
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            text = f"{text}: {type(error).__name__}: {error}"
        return " ".join(text.split())

    def about(self, record: logging.LogRecord) -> dict[str, str]:
        """Which connection, agent and world the event is about, as far as it is about one."""
        return {name: str(vars(record)[name]) for name in ABOUT if name in vars(record)}

    def traceback(self, record: logging.LogRecord) -> str:
        """The traceback, or nothing if there is none or it was not asked for."""
        if not self.tracebacks or not record.exc_info or record.exc_info[1] is None:
            return ""
        return "".join(traceback.format_exception(record.exc_info[1])).rstrip()


class TextFormatter(_Formatter):
    """``12:30:05.123 info    shard-0  worldline.shard: world w_… opened``."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one event as one line of text (with the traceback below it at level debug)."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        level, message = record.levelname.lower(), self.message(record)
        unsaid = [f"{name} {value}" for name, value in self.about(record).items() if value not in message]
        if unsaid:
            message += f" ({', '.join(unsaid)})"
        line = f"{clock}.{int(record.msecs):03d} {level:<7} {self.process:<10} {record.name}: {message}"
        trace = self.traceback(record)
        return f"{line}\n{trace}" if trace else line


class JsonFormatter(_Formatter):
    """``{"time":"2026-11-23T12:30:05.123Z","level":"info","process":"shard-00","logger":"…","message":"…","world":"…"}``."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one event as one JSON object on one line."""
        clock = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        event = {
            "time": f"{clock}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "process": self.process,
            "logger": record.name,
            "message": self.message(record),
            **self.about(record),
        }
        trace = self.traceback(record)
        if trace:
            event["traceback"] = trace
        return msgspec.json.encode(event).decode()


def configure_logging(log_format: Literal["text", "json"], level: str, process: str) -> None:
    """Send the logs of this process to standard error.

    ``level`` is one of `LEVELS`; ``process`` is this process's name (``supervisor``, ``gateway-00``, ``shard-01``).
    """
    tracebacks = level == "debug"
    handler = logging.StreamHandler(sys.stderr)
    if log_format == "json":
        handler.setFormatter(JsonFormatter(process, tracebacks=tracebacks))
    else:
        handler.setFormatter(TextFormatter(process, tracebacks=tracebacks))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(LEVELS[level], logging.WARNING))
    logging.captureWarnings(True)
    sys.excepthook = _log_last
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_thread


def _log_last(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What Python would print as a traceback when an exception ends the process."""
    logging.getLogger("worldline").critical("this process ends", exc_info=(kind, error, trace))


def _log_unraisable(found: sys.UnraisableHookArgs) -> None:
    """What Python would print of an exception that nothing can catch, as in a finalizer."""
    _log_found(found.err_msg or f"Exception ignored in {found.object!r}", found.exc_value)


def _log_thread(ended: threading.ExceptHookArgs) -> None:
    """What Python would print of an exception that ends a thread."""
    name = "a thread" if ended.thread is None else f"the thread {ended.thread.name}"
    _log_found(f"{name} ends", ended.exc_value)


def _log_found(what: str, error: BaseException | None) -> None:
    logging.getLogger("worldline").error("%s", what, exc_info=error)
