// Watching one world, live or recorded: one stream at a time, one seek under way at a time.
//
// Invariant: only frames of the stream that the server named last reach the scene. A cut connection is made good: the
// stream begins again where it was, live or at its tick, and what was asked for meanwhile is done then.

import { Scene } from "/page/scene.js";
import { Story } from "/page/story.js";

const EARLY_FRAMES_MOST = 8;
const LOOK_AHEAD_MS = 2500;
const LISTED_MOST = 100;
const MOVES = new Set(["play", "seek", "live"]); // controls after which one looks at another time
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

export class Viewing {
  constructor(wire, world, { tick, as, hz, story = true } = {}) {
    Object.assign(this, { wire, world, as, hz });
    this.scene = new Scene();
    this.story = story ? new Story() : null;
    this.players = [];
    this.observation = undefined; // null: the player had been sent nothing by then; undefined: that is not known yet
    this.marks = [];
    this.error = null;
    this.ended = null; // why the world has ended, if it has
    this.stream = null; // the server's last `watching`
    this.frames = 0;
    this._firstTick = tick;
    this._early = [];
    this._last = Promise.resolve();
    this._begun = Promise.resolve(); // done when the stream of this connection has begun
    this._asking = null; // a seek that is under way: done when no newer tick is wanted
    this._listeners = { change: new Set(), frame: new Set(), control: new Set() };
    this._stops = [
      wire.on("push", (push) => this._hear(push)),
      wire.on("state", (state) => state === "open" && this._begin()),
    ];
    this._looking = setInterval(() => this._lookAhead(), LOOK_AHEAD_MS);
    if (wire.state === "open") this._begin();
  }

  on(kind, listener) {
    this._listeners[kind].add(listener);
    return () => this._listeners[kind].delete(listener);
  }

  /** Whether the world has ended: there is nothing live any more. */
  get over() {
    return this.ended !== null || this.marks.some((mark) => mark.kind === "ended");
  }

  get live() {
    return Boolean(this.stream?.live);
  }

  /** Done when every control that was asked for is. */
  get settled() {
    return this._last;
  }

  get playing() {
    return Boolean(this.stream?.playing);
  }

  /** The tick that is shown, or will be as soon as its picture is here: the server's answer comes before that. */
  get tick() {
    return this._target ?? (this._fresh && this.frames > 0 ? this.stream.tick : this.scene.tick);
  }

  /** Whether a tick that was asked for is not shown yet: its picture comes after the server's answer. */
  get seeking() {
    return this._target !== undefined;
  }

  get lastTick() {
    return this.stream?.last_tick ?? 0;
  }

  get firstTick() {
    return this.stream?.first_tick ?? 0;
  }

  get tickHz() {
    return this.stream?.tick_hz || 1;
  }

  /**
   * Another place, speed or viewpoint in this world: {action: "play" | "pause" | "speed" | "live" | "view", …}. One after
   * the other: each is about the stream that the one before it has made.
   */
  control(action, fields = {}) {
    if (MOVES.has(action)) this._tell("control");
    this._last = this._last.then(() => this._control(action, fields));
    return this._last;
  }

  /** After a cut it is about another stream, and asked once more: it comes to the same. */
  async _control(action, fields) {
    for (let isDone = false; !isDone && !this._over; ) {
      isDone = true;
      try {
        await this.wire.opened();
        await this._begun;
        if (!this.stream || this._over) return;
        this._follow(await this.wire.request("control", { watch: this.stream.watch, action, ...fields }));
      } catch (error) {
        isDone = error.code !== "disconnected";
        this._fail(error);
      }
    }
  }

  /** Goes to a tick and stands still there. Of many calls in a row only the latest is carried out; done when that is. */
  seek(tick) {
    if (!this.stream) return Promise.resolve(); // nobody knows yet which ticks there are
    this._target = this._within(tick);
    this._tell("control");
    this._tell("change");
    this._asking ??= this._seek();
    return this._asking;
  }

  see(as) {
    this.as = as;
    this.observation = undefined;
    return this.control("view", { as });
  }

  /** Other marks on its time: {tick, kind, text, player?}. */
  mark(marks) {
    this.marks = marks;
    this.story?.setMarks(marks);
  }

  close() {
    this._over = true;
    clearInterval(this._looking);
    for (const stop of this._stops) stop();
    if (this.stream && this.wire.state === "open") this._leave(this.stream.watch);
  }

  // --- inside ----------------------------------------------------------------------------------------

  _begin() {
    this._begun = this._watch();
  }

  async _watch() {
    const turn = (this._turn = (this._turn ?? 0) + 1);
    const again = this.stream !== null;
    const from_tick = again ? (this.stream.live && !this.seeking ? undefined : this.tick) : this._firstTick;
    try {
      const watching = await this.wire.request("watch", { world: this.world, from_tick, as: this.as, hz: this.hz });
      if (this._over || turn !== this._turn) {
        this._leave(watching.watch); // nobody looks any more
        return;
      }
      if (from_tick === undefined) {
        this._follow(watching);
        return;
      }
      // Whoever names a tick wants to see that one: what plays on from it until it stands still is not shown.
      this.stream = { ...watching };
      this._unseen = watching.watch;
      this._target ??= this._within(from_tick); // unless another was asked for meanwhile
      this._follow(await this.wire.request("control", { watch: watching.watch, action: "seek", tick: this._target }));
    } catch (error) {
      this._fail(error);
    }
  }

  async _seek() {
    let asked;
    while (this._target !== undefined && this._target !== asked) {
      asked = this._target;
      await this.control("seek", { tick: asked });
    }
    this._asking = null;
    if (!this._fresh) this._target = undefined; // it is shown, or was refused
    this._tell("change");
  }

  _within(tick) {
    return Math.max(this.firstTick, Math.min(this.lastTick, Math.round(tick)));
  }

  _leave(watch) {
    this.wire.request("control", { watch, action: "stop" }).catch(() => {}); // it is over in any case
  }

  /** How far the world has come meanwhile, while this shows what has been. */
  async _lookAhead() {
    if (!this.story || !this.stream || this.live || this.over || this.wire.state !== "open" || document.hidden) return;
    try {
      const { worlds } = await this.wire.request("worlds", { game: this.stream.game, limit: LISTED_MOST });
      const world = worlds.find(({ world }) => world === this.world);
      if (world) this.stream.last_tick = Math.max(this.stream.last_tick, world.tick);
      this._tell("change");
    } catch {
      return; // the connection says what is wrong with it; the next look comes soon
    }
  }

  _follow(watching) {
    if (this._over) return;
    this.error = null;
    this.stream = { ...watching };
    if (watching.players) this.players = watching.players;
    this.mark(watching.marks ?? this.marks);
    this.scene.begin(watching.static);
    this._fresh = true;
    const early = this._early.filter((push) => push.watch === watching.watch);
    this._early = [];
    for (const push of early) this._hear(push);
    this._tell("change");
  }

  _hear(push) {
    if (push.type === "closed" && push.world === this.world && !push.player) this._end(push.reason);
    if (push.type === "notice" && push.code === "watch_ended" && push.watch === this.stream?.watch) this._fail(push);
    if (push.type === "watching" && push.instead_of === this.stream?.watch) this._follow(push);
    if (push.type !== "frame" && push.type !== "static") return;
    if (push.watch === this._unseen) return;
    if (push.watch !== this.stream?.watch) {
      this._early = [...this._early, push].slice(-EARLY_FRAMES_MOST);
      return;
    }
    if (push.type === "static") this.scene.addPage(push.nodes);
    else this._take(push);
  }

  _take(frame) {
    const apart = Math.abs(frame.tick - this.scene.tick);
    const usual = (this.tickHz * Math.max(1, this.stream.speed ?? 1) * 3) / Math.max(1, this.stream.hz ?? 1);
    const smooth = !CALM.matches && !this._fresh && apart <= Math.max(usual, 1);
    this._see(frame.observation);
    this._fresh = false;
    if (!this._asking) this._target = undefined;
    if (frame.last_tick !== undefined) this.stream.last_tick = Math.max(this.stream.last_tick, frame.last_tick);
    this.stream.last_tick = Math.max(this.stream.last_tick, frame.tick);
    if (frame.players) this._meet(frame.players, frame.tick);
    this.scene.take(frame, performance.now(), smooth);
    this.frames += 1;
    const news = this.story?.addFrame(frame) ?? [];
    for (const listener of this._listeners.frame) listener(frame, news);
    this._tell("change");
  }

  /** Takes what a player had last been sent. The first frame of a stream has it, or there is nothing; others if it is news.
   * What another player was sent is of a stream that is not wanted any more. */
  _see(observation) {
    if (observation && observation.player === this.as) this.observation = observation;
    else if (this._fresh) this.observation = null;
  }

  /** Takes players as a frame tells of them; while the world runs, who has come or gone is a mark. */
  _meet(players, tick) {
    const news = (kind, these, those) =>
      these.filter(({ player }) => !those.some((other) => other.player === player)).map(({ player, name }) => ({ tick, kind, text: `${name} ${kind}`, player }));
    const marks = this.live ? [...news("joined", players, this.players), ...news("left", this.players, players)] : [];
    this.players = players;
    if (marks.length > 0) this.mark([...this.marks, ...marks]);
  }

  _end(reason) {
    this.ended = reason;
    this._tell("change");
  }

  _fail(error) {
    if (this._over || error.code === "disconnected") return;
    this.error = error;
    if (!this._asking) this._target = undefined;
    this._tell("change");
  }

  _tell(kind) {
    for (const listener of this._listeners[kind]) listener();
  }
}
