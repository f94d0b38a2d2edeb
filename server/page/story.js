// What has happened in a world, as far as this page has heard: events and inputs by tick, each once, whatever way they
// came (frames, log). Pure.

const MOST = 6000;

/** One line: {key, tick, type: "event" | "input" | "mark", player, kind, data, note, status, code}. */
export class Story {
  constructor() {
    this._known = new Map();
    this._sorted = [];
    this.version = 0;
  }

  addFrame(frame) {
    const fresh = [];
    for (const event of frame.events ?? []) fresh.push(eventEntry(event, frame.tick));
    for (const input of frame.inputs ?? []) fresh.push(inputEntry(input, frame.tick));
    this.add(fresh);
    return fresh;
  }

  add(entries) {
    let changed = false;
    for (const entry of entries) {
      const old = this._known.get(entry.key);
      if (old) {
        // An event for several players is told of each of them: one line.
        if (entry.player && !old.players.includes(entry.player)) {
          old.players = [...old.players, entry.player];
          changed = true;
        }
        continue;
      }
      this._known.set(entry.key, entry);
      this._insert(entry);
      changed = true;
    }
    if (changed) this.version += 1;
  }

  /** The entries up to a tick, newest first, at most so many, for which `wanted` holds. */
  until(tick, most, wanted = () => true) {
    const list = [];
    for (let at = this._after(tick) - 1; at >= 0 && list.length < most; at -= 1) {
      if (wanted(this._sorted[at])) list.push(this._sorted[at]);
    }
    return list;
  }

  /** What there was between two ticks, the first not counted: oldest first. */
  between(from, to) {
    return this._sorted.slice(this._after(from), this._after(to));
  }

  /** A player's latest input by a tick. */
  lastInput(player, tick) {
    return this.until(tick, 1, (entry) => entry.type === "input" && entry.player === player)[0];
  }

  _insert(entry) {
    const list = this._sorted;
    if (list.length === 0 || list[list.length - 1].tick <= entry.tick) list.push(entry);
    else list.splice(this._after(entry.tick), 0, entry);
    if (list.length > MOST) this._known.delete(list.shift().key);
  }

  /** How many entries have a tick of at most this. */
  _after(tick) {
    let [low, high] = [0, this._sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this._sorted[middle].tick <= tick) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function eventEntry(event, frameTick) {
  const tick = event.tick ?? frameTick;
  const data = event.data ?? null;
  const key = `e ${tick} ${event.kind} ${JSON.stringify(data)}`;
  const players = event.players ?? (event.player ? [event.player] : []);
  return { key, tick, type: "event", player: event.player, players, kind: event.kind, data };
}

function inputEntry(input, frameTick) {
  const tick = input.tick ?? frameTick;
  return {
    key: `i ${input.player} ${input.seq}`,
    tick,
    type: "input",
    player: input.player,
    seq: input.seq,
    players: [input.player],
    kind: input.name,
    data: input.args,
    note: input.note,
    status: input.status,
    code: input.code,
    observedTick: input.observed_tick,
  };
}
