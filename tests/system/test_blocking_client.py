"""A program without an event loop plays over a real server."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

import worldline
from tests.system.harness import RunningServer
from worldline import blocking

Start = Callable[..., RunningServer]


def test_a_program_without_an_event_loop_plays_and_survives_a_crash(serve: Start) -> None:
    server = serve()
    with blocking.connect(server.url, name="ada") as client:
        assert (client.name, client.connected) == ("ada", True)
        assert "echo" in [game.game for game in client.games()]
        me = client.join("echo")
        assert client.players == {(me.world, me.player): me}
        assert me.input("count", by=5).result == {"total": 5}
        for pid in server.shard_pids():
            os.kill(pid, signal.SIGKILL)
        assert me.input("count", by=6).result == {"total": 11}, "requests wait for the world to come back"
        assert me.observe(until="tick").data["total"] == 11
        me.input("say", text="hello")
        assert next(me.events()).kind == "said"
        refused = me.input("count", {"by": 1000})
        assert (refused.ok, refused.code) == (False, "too_much")
        with pytest.raises(worldline.InvalidRequest) as error:
            me.input("cuont", by=1)
        assert error.value.code == "unknown_input"
        me.leave()
        assert me.closed == "left"
    with pytest.raises(RuntimeError, match="connect again"):
        client.ping()
    client.close()


def test_a_client_comes_back_as_the_same_player(serve: Start) -> None:
    server = serve()
    first = blocking.connect(server.url, name="ada")
    me = first.join("echo")
    with blocking.connect(server.url, resume=first.resume) as second:
        assert [(player.world, player.player) for player in second.players.values()] == [(me.world, me.player)]
        with pytest.raises(worldline.Disconnected):
            me.observe()
    first.close()


def test_threads_share_a_client_and_closing_it_sets_them_free(serve: Start) -> None:
    server = serve()
    client = blocking.connect(server.url)
    me, other = client.join("duel"), None
    with blocking.connect(server.url) as opponent:
        other = opponent.join("duel")
        ended: list[str] = []

        def wait_for_a_tick_that_does_not_come() -> None:
            try:
                me.observe(until="tick")
            except worldline.Disconnected:
                ended.append("disconnected")

        waiting = threading.Thread(target=wait_for_a_tick_that_does_not_come)
        waiting.start()
        assert client.ping() > 0, "another thread's request is not held up"
        client.close()
        waiting.join(30)
        assert ended == ["disconnected"]
        assert other.closed is None


def test_no_server_is_said_at_once() -> None:
    before = threading.active_count()
    with pytest.raises(worldline.Disconnected, match="cannot connect"):
        blocking.connect("ws://127.0.0.1:1/ws")
    assert threading.active_count() == before, "no thread is left behind"


def test_an_interrupted_call_leaves_the_client_usable(serve: Start) -> None:
    server = serve()
    with blocking.connect(server.url) as client, blocking.connect(server.url) as opponent:
        me, other = client.join("duel"), opponent.join("duel")
        main = threading.get_ident()

        def interrupt() -> None:
            # Not before the input is in the world: else the call may be interrupted before it has sent anything.
            while opponent.worlds("duel")[0].waiting_for != [other.player]:
                time.sleep(0.15)  # a listing costs a request, of which an agent has ten a second
            signal.pthread_kill(main, signal.SIGINT)  # as the terminal does for Ctrl-C

        with pytest.raises(KeyboardInterrupt):
            threading.Thread(target=interrupt).start()
            me.input("pick", n=1)
        again = threading.Thread(target=lambda: other.input("pick", n=2))
        again.start()
        assert me.observe(until="tick", after_tick=0).data["picks"] == ["1:p_1:1", "1:p_2:2"], "the input was applied"
        again.join()


def test_an_interrupt_that_another_thread_receives_ends_the_call_too(serve: Start) -> None:
    with blocking.connect(serve().url) as client:
        me = client.join("duel")
        masked = threading.Event()

        def interrupt() -> None:
            masked.wait()
            client.ping()
            os.kill(os.getpid(), signal.SIGINT)

        # As when the signal comes between the last step of the main thread and its wait: the wait goes on undisturbed.
        interrupting = threading.Thread(target=interrupt)
        interrupting.start()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            with pytest.raises(KeyboardInterrupt):
                masked.set()  # in here: the signal may be sooner than the next step
                me.observe(until="end", wait_s=25)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            interrupting.join()
        assert me.observe().tick == 0
