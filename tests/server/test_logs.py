"""Promise: one event is one line, tracebacks are for level debug only, and JSON logs are one object a line."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from server.logs import configure_logging


@pytest.fixture(autouse=True)
def logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def log_an_error(text: str) -> None:
    log = logging.getLogger("worldline.test")
    try:
        raise ValueError("seven\nlines")
    except ValueError:
        log.exception("it failed: %s", text)


def test_text_is_one_line_with_level_process_and_logger(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("text", "info", "shard-03")
    log_an_error("a name\r\nwith a break")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("error   shard-03   worldline.test: it failed: a name with a break: ValueError: seven lines")


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info", "gateway-00")
    logging.getLogger("worldline.test").warning("%d clients", 5)
    log_an_error("x")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first["time"].endswith("Z")
    del first["time"]
    assert first == {
        "level": "warning",
        "process": "gateway-00",
        "logger": "worldline.test",
        "message": "5 clients",
    }
    assert second["message"] == "it failed: x: ValueError: seven lines" and "traceback" not in second


def test_what_a_line_is_about_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("worldline.test")
    configure_logging("json", "info", "gateway-00")
    log.info("it failed", extra={"world": "w_1", "agent": "a_1", "connection": "127.0.0.1:5"})
    line = json.loads(capsys.readouterr().err)
    assert (line["world"], line["agent"], line["connection"]) == ("w_1", "a_1", "127.0.0.1:5")
    configure_logging("text", "info", "gateway-00")
    log.info("world w_1 failed", extra={"world": "w_1", "agent": "a_1"})
    assert capsys.readouterr().err.endswith("worldline.test: world w_1 failed (agent a_1)\n")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("import threading; threading.Thread(target=lambda: 1 / 0, name='t').start()", "the thread t ends"),
        ("class Bad:\n  def __del__(self): 1 / 0\nBad()", "Exception ignored in"),
        ("import warnings; warnings.warn('mind\\nthat')", "mind that"),
    ],
)
def test_what_python_says_by_itself_is_one_line_too(script: str, message: str) -> None:
    configured = f"from server.logs import configure_logging; configure_logging('json', 'info', 'shard-09')\n{script}"
    ended = subprocess.run([sys.executable, "-c", configured], capture_output=True, text=True, check=False)
    assert ended.returncode == 0
    (line,) = ended.stderr.splitlines()
    assert message in json.loads(line)["message"]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_traceback_is_shown_at_level_debug_only(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert log_format in ("text", "json")
    configure_logging("json" if log_format == "json" else "text", "debug", "supervisor")
    log_an_error("x")
    assert "Traceback" in capsys.readouterr().err


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("text", "warning", "supervisor")
    logging.getLogger("worldline.test").info("quiet")
    logging.getLogger("websockets.server").info("connection open")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("level", "traceback"), [("info", False), ("debug", True)])
def test_an_exception_that_ends_a_process_is_one_line_too(level: str, traceback: bool) -> None:
    script = f"from server.logs import configure_logging; configure_logging('text', '{level}', 'shard-09'); 1 / 0"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    first, *more = ended.stderr.splitlines()
    assert "critical shard-09" in first and first.endswith("this process ends: ZeroDivisionError: division by zero")
    assert bool(more) == traceback and ("Traceback" in ended.stderr) == traceback
