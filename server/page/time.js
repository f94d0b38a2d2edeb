// Time: play, step, speed, events before and after, what is idle. What a button does a key does too (`KEYS`).

import { momentsOf } from "/page/story.js";
import { announce } from "/page/ui.js";

export const SPEEDS = [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64];
const IDLE_S = 4; // so long without an event is skipped
const BEFORE_EVENT_S = 1;
const WORDS = { "-1": "nothing of the kind before this", 1: "nothing of the kind after this" };

/** What people can do with time; `name` is also what help says. */
export const KEYS = [
  { keys: [" ", "k"], shown: "Space or K", does: "play or pause", run: (time) => time.toggle() },
  { keys: ["ArrowLeft"], shown: "←", does: "one tick back", run: (time) => time.step(-1) },
  { keys: ["ArrowRight"], shown: "→", does: "one tick on", run: (time) => time.step(1) },
  { keys: ["shift+ArrowLeft", "j"], shown: "Shift ← or J", does: "ten ticks back", run: (time) => time.step(-10) },
  { keys: ["shift+ArrowRight"], shown: "Shift →", does: "ten ticks on", run: (time) => time.step(10) },
  { keys: ["Home"], shown: "Home", does: "first tick", run: (time) => time.viewing.seek(time.viewing.firstTick) },
  { keys: ["End"], shown: "End", does: "latest tick", run: (time) => time.viewing.seek(time.viewing.lastTick) },
  { keys: ["q"], shown: "Q", does: "previous event", run: (time) => time.toEvent(-1) },
  { keys: ["e"], shown: "E", does: "next event", run: (time) => time.toEvent(1) },
  { keys: ["["], shown: "[", does: "slower", run: (time) => time.faster(-1) },
  { keys: ["]"], shown: "]", does: "faster", run: (time) => time.faster(1) },
  { keys: ["i"], shown: "I", does: "skip what is idle, or not", run: (time) => time.toggleIdle() },
  { keys: ["l"], shown: "L", does: "go live", run: (time) => time.viewing.control("live") },
];

/** What can be done with a viewing's time. `history` knows what happened; `filter` says which of it counts. */
export class Time {
  constructor(viewing, history) {
    Object.assign(this, { viewing, history });
    this.filter = {};
    this.skipIdle = false;
    this.said = null; // {tick, text}: the answer to the last search, as long as that tick is shown
    this._listeners = new Set();
    this._stop = viewing.on("frame", (frame, news) => this._skip(frame, news));
    this._lastTick = 0; // the latest tick at which something happened that counts
    this._lookedAt = null; // from there on nothing is to be skipped to, or it has been asked for
  }

  on(listener) {
    this._listeners.add(listener);
    return () => this._listeners.delete(listener);
  }

  close() {
    this._stop();
  }

  async toggle() {
    await this.viewing.settled; // what is under way decides what the opposite is
    return this.viewing.control(this.viewing.playing ? "pause" : "play");
  }

  step(ticks) {
    return this.viewing.seek(this.viewing.tick + ticks);
  }

  faster(steps) {
    const at = SPEEDS.indexOf(this._speed ?? this.viewing.stream?.speed ?? 1);
    return this.setSpeed(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, at + steps))]);
  }

  async setSpeed(speed) {
    this._speed = speed; // the next step counts from here, also while this one is on its way
    await this.viewing.control("speed", { speed });
    if (this._speed === speed) this._speed = undefined;
  }

  setFilter(filter) {
    this.filter = filter;
    this._lookedAt = null;
    this._tell();
  }

  toggleIdle() {
    this.skipIdle = !this.skipIdle;
    this._lookedAt = null;
    this._tell();
  }

  /** What is known of that counts, in order: {tick, type, kind, players, …}. */
  get moments() {
    const { story } = this.viewing;
    if (this._moments?.version !== story.version || this._moments.filter !== this.filter) {
      this._moments = { version: story.version, filter: this.filter, list: story.all(momentsOf(this.filter)) };
    }
    return this._moments.list;
  }

  /** Goes to what happened before (way −1) or after (way 1) the tick that is shown, wherever in the game that is. */
  async toEvent(way) {
    const { viewing, history, filter } = this;
    const { tick } = viewing;
    const moment = await history.find(way, filter, tick);
    if (moment) return viewing.seek(moment.tick);
    if (moment === null) return undefined;
    this.said = { tick, text: history.problem?.message ?? WORDS[way] };
    announce(this.said.text, { now: true });
    return this._tell();
  }

  /** Jumps to shortly before what happens next when nothing has happened for a while. */
  async _skip(frame, news) {
    const { viewing, history, filter } = this;
    if (news.some(momentsOf(filter)) || frame.tick < this._lastTick) this._lastTick = frame.tick;
    if (!this.skipIdle || !viewing.playing || viewing.live || this._lookedAt === this._lastTick) return;
    const calm = IDLE_S * viewing.tickHz;
    if (frame.tick - this._lastTick < calm) return;
    this._lookedAt = this._lastTick;
    const next = await history.find(1, filter, frame.tick);
    if (next === null) this._lookedAt = null; // that was ended: nobody knows yet
    if (!next || !this.skipIdle || !viewing.playing || next.tick - viewing.tick < calm) return;
    await viewing.seek(next.tick - Math.round(BEFORE_EVENT_S * viewing.tickHz));
    await viewing.control("play");
  }

  _tell() {
    for (const listener of this._listeners) listener();
  }
}
