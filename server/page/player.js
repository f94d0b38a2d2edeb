// A player driven by hand: looks again and again, sends inputs with their seq, and sends again what a cut left unanswered.
//
// Invariant: an input is applied once: it keeps its seq until its outcome is known.

const LOOK_EVERY_MS = 1000;
const WAIT_MS = 25_000;
const KEPT = 200;
/** Refusals that say that there is no seat any more. */
const OVER = ["world_closed", "not_joined", "unknown_world", "world_faulted"];

/** One seat. `on(listener)` is told of every change; `observation`, `outcomes`, `events`, `ended` are what it knows. */
export class Player {
  constructor(wire, joined) {
    Object.assign(this, { wire, world: joined.world, player: joined.player, seat: joined.seat, clock: joined.clock });
    this.nextSeq = joined.next_seq;
    this.observation = null;
    this.outcomes = [];
    this.events = [];
    this.ended = null;
    this.sending = null;
    this._listeners = new Set();
    this._take(joined.observation);
    this._stopHearing = wire.on("push", (push) => this._hear(push));
    this._look();
  }

  on(listener) {
    this._listeners.add(listener);
    return () => this._listeners.delete(listener);
  }

  /** Sends one input and keeps at it until its outcome is known. */
  async input(name, args, note) {
    const seq = this.nextSeq;
    const shown = { seq, name, args, note, status: "sent" };
    this.outcomes = [shown, ...this.outcomes].slice(0, KEPT);
    this.sending = shown;
    this._tell();
    try {
      Object.assign(shown, await this._outcome({ seq, name, args, note: note || undefined }, shown));
      this.nextSeq = seq + 1;
      this._take(shown.observation);
    } catch (error) {
      Object.assign(shown, { status: "refused", code: error.code, message: error.message, hint: error.hint });
      if (error.data?.expected_seq) this.nextSeq = error.data.expected_seq;
    }
    this.sending = null;
    this._tell();
  }

  async leave() {
    try {
      await this.wire.request("leave", { world: this.world, player: this.player });
      this._end("left");
    } catch (error) {
      if (OVER.includes(error.code)) this._end(error.message);
      else if (error.code !== "disconnected") throw error; // after a cut the next look says whether it has left
    }
  }

  /** Stops looking; the seat stays. */
  stop() {
    this._over = true;
    this._stopHearing();
    clearTimeout(this._timer);
  }

  // --- inside ----------------------------------------------------------------------------------------

  async _outcome(input, shown) {
    for (;;) {
      try {
        const seen = this.observation?.tick;
        const reply = await this.wire.request("input", {
          world: this.world,
          player: this.player,
          observe: true,
          seen_tick: seen,
          ...input,
        });
        if (reply.status !== "pending") return reply;
      } catch (error) {
        if (error.code !== "disconnected") throw error;
        shown.again = (shown.again ?? 0) + 1;
        this._tell();
      }
    }
  }

  async _look() {
    const waits = this.clock === "realtime" ? {} : { until: "tick", wait_ms: WAIT_MS };
    try {
      this._take(await this.wire.request("observe", { world: this.world, player: this.player, ...waits }));
    } catch (error) {
      if (OVER.includes(error.code)) this._end(error.message);
    }
    const rest = this.clock === "realtime" ? LOOK_EVERY_MS : 50;
    if (!this._over) this._timer = setTimeout(() => this._look(), rest);
  }

  _take(observation) {
    if (!observation || this._over) return;
    const known = new Set(this.events.map((event) => event.n));
    const fresh = observation.events.filter((event) => !known.has(event.n)).reverse();
    this.events = [...fresh, ...this.events].slice(0, KEPT);
    if (!this.observation || observation.tick >= this.observation.tick) this.observation = observation;
    if (observation.ended) this._end(observation.ended);
    this._tell();
  }

  _hear(push) {
    if (push.world !== this.world || (push.player && push.player !== this.player)) return;
    if (push.type === "closed") this._end(push.reason);
  }

  _end(reason) {
    this.ended ??= reason;
    this.stop();
    this._tell();
  }

  _tell() {
    for (const listener of this._listeners) listener();
  }
}
