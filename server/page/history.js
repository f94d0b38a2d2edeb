// Finds out what happened where the viewer looks, and where something happened at all: inputs from the log, events by a
// scout. The story of a viewing holds what is found.
//
// Invariant: bounded in what it asks for and keeps; a newer question, or any move in time, ends an older one.

import { Scout } from "/page/scout.js";
import { momentsOf, needsOf } from "/page/story.js";

const REST_MS = 700; // so long a tick is looked at before it is asked what happened around it
const BEFORE_S = 60; // of the game's time
const AFTER_S = 20;
const CHUNK_S = 60; // a search looks through so much at first, then through more and more
const CHUNK_MOST_S = 600;
const RECORDS = 500;
const PAGES_MOST = 4;

/** What happened before and after what a viewing shows. `on(listener)` is told of what is found and how far a search is. */
export class History {
  constructor(viewing) {
    Object.assign(this, { viewing, wire: viewing.wire, story: viewing.story });
    this.problem = null; // why the past is not told
    this._logRefused = false; // while the world runs, not everybody may read its log: then a scout hears of inputs, too
    this.looking = null; // {tick}: how far a search has come
    this.busy = false;
    this._turn = 0; // counts questions
    this._listeners = new Set();
    this._stops = [viewing.on("change", () => this._changed()), viewing.on("control", () => this.cancel())];
    this._changed();
  }

  on(listener) {
    this._listeners.add(listener);
    return () => this._listeners.delete(listener);
  }

  close() {
    this.cancel();
    for (const stop of this._stops) stop();
  }

  /** Ends what is under way. */
  cancel() {
    this._turn += 1;
    clearTimeout(this._resting);
    this._scout?.stop();
    this.looking = null;
    this._busy(false);
  }

  /**
   * The nearest before (way −1) or after (way 1) tick `from` that happened and that a filter lets through; undefined:
   * there is none, or it cannot be told (`problem`); null: the search was ended.
   */
  async find(way, filter, from) {
    this.cancel();
    const turn = this._turn;
    const wanted = momentsOf(filter);
    for (let chunk = this._ticks(CHUNK_S); ; chunk = Math.min(2 * chunk, this._ticks(CHUNK_MOST_S))) {
      const needs = this._needs(filter);
      const moment = this.story.nearest(way, from, wanted);
      const edge = this._knownTo(way, from, needs);
      const isAll = way > 0 ? edge >= this.viewing.lastTick : edge <= this.viewing.firstTick;
      if (isAll || (moment && (moment.tick - edge) * way <= 0)) return this._found(moment);
      this.looking = { tick: edge };
      this._tell();
      const [first, last] = way > 0 ? [edge + 1, edge + chunk] : [edge - chunk, edge - 1];
      await this._learn(first, last, needs, turn, () => way > 0 && this.story.nearest(way, from, wanted) !== undefined);
      if (turn !== this._turn) return null;
      if (needs.inputs && this._logRefused) continue; // the log is not to be had: once more, without it
      if (this._knownTo(way, from, needs) === edge) return this._found(moment); // it cannot be told: `problem` says why
    }
  }

  /** Finds out what happened earlier than all that is known up to the tick that is shown. */
  async earlier() {
    this.cancel();
    const turn = this._turn;
    const edge = Math.max(this.story.inputs.knownFrom(this.viewing.tick), this.story.events.knownFrom(this.viewing.tick));
    const [first, last] = [edge - this._ticks(BEFORE_S), edge - 1];
    if (!this._logRefused) await this._learn(first, last, { inputs: true, events: !this.viewing.live }, turn);
    if (this._logRefused && turn === this._turn) await this._learn(first, last, { inputs: false, events: true }, turn);
  }

  /** From which tick on all is known up to what is shown. */
  get knownFrom() {
    return this._knownTo(-1, this.viewing.tick + 1, { inputs: this.viewing.live || !this._logRefused, events: !this.viewing.live });
  }

  // --- inside ----------------------------------------------------------------------------------------

  _ticks(seconds) {
    return Math.max(1, Math.round(seconds * this.viewing.tickHz));
  }

  /** Whoever may not read the log hears of inputs as of events. */
  _needs(filter) {
    return this._logRefused ? { inputs: false, events: true } : needsOf(filter);
  }

  _found(moment) {
    this.looking = null;
    this._busy(false);
    if (!moment) this._rest();
    return moment;
  }

  /** How far from a tick all that is needed is known without a gap. */
  _knownTo(way, from, { inputs, events }) {
    const spans = [inputs && this.story.inputs, events && this.story.events].filter(Boolean);
    const { firstTick, lastTick } = this.viewing;
    if (way > 0) return Math.min(lastTick, ...spans.map((each) => each.knownUntil(from + 1)));
    return Math.max(firstTick, ...spans.map((each) => each.knownFrom(from - 1)));
  }

  /** Once a tick is looked at for a while, asks what happened around it. What is under way goes first. */
  _changed() {
    const { viewing } = this;
    if (!viewing.stream) return;
    const place = viewing.live ? "live" : viewing.playing ? "playing" : viewing.tick;
    if (place === this._place) return;
    this._place = place;
    if (place !== "playing") this._rest();
  }

  _rest() {
    clearTimeout(this._resting);
    this._resting = setTimeout(() => (this.busy || this.viewing.seeking ? this._rest() : this._around()), REST_MS);
  }

  async _around() {
    const { viewing } = this;
    const tick = viewing.tick;
    const last = viewing.live ? tick : tick + this._ticks(AFTER_S);
    await this._learn(tick - this._ticks(BEFORE_S), last, { inputs: true, events: !viewing.live }, this._turn);
  }

  /** Makes known what happened between two ticks, both included. `enough` ends it earlier. */
  async _learn(first, last, { inputs, events }, turn, enough = () => false) {
    const { firstTick, lastTick } = this.viewing;
    const [from, to] = [Math.max(firstTick, first), Math.min(lastTick, last)];
    this._busy(true);
    if (inputs && !this._logRefused) for (const [start, end] of this.story.inputs.missing(from, to)) await this._read(start, end, turn);
    if (events) {
      for (const [start, end] of this.story.events.missing(from, to)) {
        if (turn === this._turn && !enough()) await this._scoutThrough(start, end, enough);
      }
    }
    if (turn === this._turn) this._busy(false);
  }

  async _read(first, last, turn) {
    const { wire, viewing, story } = this;
    let from = first;
    try {
      for (let page = 0; page < PAGES_MOST && from <= last && turn === this._turn; page += 1) {
        const { lastTick } = viewing;
        const { records, next } = await wire.read("log", { world: viewing.world, from_tick: from, limit: RECORDS, kinds: ["input"] });
        const until = next === undefined ? lastTick : next - 1;
        story.addRecords(records, viewing.tick);
        story.inputs.add(from, until);
        this._tell();
        from = until + 1;
      }
    } catch (error) {
      if (["live_world", "forbidden"].includes(error.code)) this._logRefused = true;
      else this._refused(error);
    }
  }

  async _scoutThrough(first, last, enough) {
    const { viewing, story } = this;
    this._scout?.stop();
    const from = Math.max(viewing.firstTick, first - 1);
    const scout = new Scout(this.wire, viewing.world, from, last, (frame) => {
      story.addFrame(frame, viewing.tick);
      if (this.looking) this.looking = { tick: frame.tick };
      if (enough()) scout.stop();
      this._tell();
    });
    this._scout = scout;
    await scout.settled;
    if (scout.error) {
      this._refused(scout.error);
      return;
    }
    this.problem = null;
    if (from === viewing.firstTick) for (const spans of [story.events, story.inputs]) spans.add(from, from); // nothing comes before
  }

  _refused(error) {
    if (error.code !== "disconnected") this.problem = error;
    this._tell();
  }

  _busy(busy) {
    this.busy = busy;
    this._tell();
  }

  _tell() {
    for (const listener of this._listeners) listener();
  }
}
