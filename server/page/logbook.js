// The part of a world's log around a tick, read as it is wanted: one line for each entry, in the order of the log.
//
// Invariant: `lines` are all lines of the ticks from `from` to `to`.

const PAGE_RECORDS = 1000;
const SPAN_S = 10;
const SPAN_TICKS_LEAST = 60;
const FRESH_S = 2; // what is so new may still get its outcome, or be on its way to the log
const LINES_MOST = 20_000; // beyond that the book begins anew where it is opened
/** What people want to know of a log. The rest is for the engine: how far a world may be shown, hashes, ticks without entries. */
const KINDS = ["genesis", "open", "fault", "close", "code", "engine", "clock", "join", "leave", "input", "timeout", "abort"];

/** One record as lines: {key, tick, kind, player, record, entry}; `entry` is null where the record itself is the line. */
export function linesOf(record, firstTick) {
  const tick = record.tick ?? firstTick;
  const between = record.ran === false ? " after" : "";
  if (!record.entries?.length) {
    const mark = record.epoch ?? record.part ?? record.hash ?? "";
    return [{ key: `${record.record} ${tick} ${mark}`, tick, kind: record.record, player: undefined, record, entry: null }];
  }
  return record.entries.map((entry, at) => ({
    key: `${tick}${between} ${at} ${entry.kind} ${entry.player ?? ""} ${entry.seq ?? ""}`,
    tick,
    kind: entry.kind,
    player: entry.player,
    record,
    entry,
  }));
}

/** One world's log; with `all` of its records, or only what people want to know. */
export class Logbook {
  constructor(wire, world, all) {
    Object.assign(this, { wire, world, all, lines: [], from: 0, to: -1, span: SPAN_TICKS_LEAST });
    this._last = Promise.resolve();
  }

  /** Has the lines around a tick; bounds are {firstTick, lastTick, tickHz} of the world. One reading after the other. */
  around(tick, bounds) {
    return this._inTurn(() => this._around(tick, bounds));
  }

  /** The next line on from one, or from a tick: -1 back, 1 forth; undefined: there is none. */
  next(from, way, bounds) {
    return this._inTurn(() => this._next(typeof from === "number" ? { tick: from, key: null } : from, way, bounds));
  }

  // --- inside ----------------------------------------------------------------------------------------

  _inTurn(job) {
    this._last = this._last.then(job, job);
    return this._last;
  }

  async _next(start, way, bounds) {
    await this._around(start.tick, bounds);
    for (let reach = this.span; ; reach *= 4) {
      const found = way > 0 ? this._after(start) : this._before(start);
      const end = way > 0 ? this.to >= bounds.lastTick : this.from <= bounds.firstTick;
      if (found || end) return found;
      await this._extend(way > 0 ? this.to + reach : this.from - reach, bounds);
      if (way > 0 && this.to + FRESH_S * bounds.tickHz >= bounds.lastTick) return this._after(start);
    }
  }

  _after(start) {
    const at = this.lines.findIndex(({ key }) => key === start.key);
    return this.lines.find((line, index) => (at >= 0 ? index > at : line.tick > start.tick));
  }

  _before(start) {
    const at = this.lines.findIndex(({ key }) => key === start.key);
    return this.lines.findLast((line, index) => (at >= 0 ? index < at : line.tick < start.tick));
  }

  async _around(tick, bounds) {
    this.span = Math.max(SPAN_TICKS_LEAST, Math.round(SPAN_S * bounds.tickHz));
    const [low, high] = [tick - this.span, tick + this.span];
    const apart = this.to < 0 || high < this.from - this.span || low > this.to + this.span;
    if (apart || this.lines.length > LINES_MOST) {
      const from = Math.max(low, bounds.firstTick);
      const { lines, to } = await this._read(from, high, bounds);
      Object.assign(this, { lines, from, to });
      return;
    }
    if (low < this.from) await this._extend(low, bounds);
    if (high > this.to && this.to < bounds.lastTick) await this._extend(high, bounds);
  }

  async _extend(tick, bounds) {
    if (tick < this.from) {
      const from = Math.max(tick, bounds.firstTick);
      if (from >= this.from) return;
      const { lines } = await this._read(from, this.from - 1, bounds);
      this.lines = [...lines.filter((line) => line.tick < this.from), ...this.lines];
      this.from = from;
      return;
    }
    const again = this.to + 1;
    const { lines, to } = await this._read(again, tick, bounds);
    this.lines = [...this.lines.filter((line) => line.tick < again), ...lines.filter((line) => line.tick >= again)];
    this.to = Math.max(this.to, to);
  }

  /** The lines of some ticks and perhaps more, and up to which tick they are whole. */
  async _read(low, high, { firstTick, lastTick, tickHz }) {
    const lines = [];
    const from_tick = low <= firstTick ? undefined : low; // what comes before the first tick is of no tick
    const kinds = this.all ? undefined : KINDS;
    for await (const { records, next } of this.wire.logPages({ world: this.world, from_tick, limit: PAGE_RECORDS, kinds })) {
      // Behind the first of them a log may speak of ticks before: those lines come with the ticks that they are of.
      for (const record of records) lines.push(...linesOf(record, firstTick).filter((line) => line.tick >= low));
      if (next > high) return { lines, to: next - 1 };
    }
    return { lines, to: Math.max(low - 1, Math.min(high, lastTick - Math.ceil(FRESH_S * tickHz))) };
  }
}
