// What has happened in a world, as far as this page knows: events, inputs and marks by tick, each once, whatever way they
// came (frames, log, the stream's marks). Bounded: what is farthest from the tick that is shown goes first. Pure.
//
// `inputs` and `events` are the spans of ticks of which all inputs, all events are known.

import { Spans } from "/page/spans.js";
import { words } from "/page/ui.js";

const MOST = 6000;

/** Which entries of a story are wanted, by player and by kind. */
export function filterOf({ player, kind }) {
  return (entry) => (!player || entry.players.includes(player)) && (!kind || kind === `${entry.type} ${entry.kind}` || kind === entry.type || (kind === "rejected" && entry.status === kind));
}

/** Which of them previous and next go to: inputs only for whoever asks for inputs. */
export function momentsOf(filter) {
  const wanted = filterOf(filter);
  const { inputs } = needsOf(filter);
  return (entry) => wanted(entry) && (inputs || entry.type !== "input");
}

/** What has to be known to find them: {inputs, events}. Marks always are. */
export function needsOf({ kind }) {
  const inputs = kind === "rejected" || Boolean(kind?.startsWith("input"));
  return { inputs, events: !kind || kind.startsWith("event") };
}

/** One line: {key, tick, type: "event" | "input" | "mark", players, kind, data, note, status, code, text}. */
export class Story {
  constructor() {
    this.version = 0; // counts changes
    this.inputs = new Spans();
    this.events = new Spans();
    this._known = new Map();
    this._sorted = [];
    this._marks = [];
  }

  /** Takes what a frame tells; returns what was not known. `shown`: the tick that is looked at. */
  addFrame(frame, shown = frame.tick) {
    const events = (frame.events ?? []).map((event) => eventEntry(event, frame.tick));
    const inputs = (frame.inputs ?? []).map((input) => inputEntry(input, frame.tick));
    const fresh = this.add([...events, ...inputs], shown);
    if (frame.base_tick != null) {
      this.events.add(frame.base_tick + 1, frame.tick);
      this.inputs.add(frame.base_tick + 1, frame.tick);
    }
    return fresh;
  }

  /** Takes the inputs in records of the log. */
  addRecords(records, shown) {
    const entries = records.flatMap((record) => record.entries.map((entry) => inputEntry(entry, record.tick)));
    this.add(entries, shown);
  }

  /** The marks of a stream, all of them. */
  setMarks(marks) {
    this._marks = marks.map(markEntry).sort((one, other) => one.tick - other.tick);
    this.version += 1;
  }

  /** Takes entries; returns those that were not known. */
  add(entries, shown) {
    const fresh = [];
    for (const entry of entries) {
      const old = this._known.get(entry.key);
      if (old === undefined) {
        this._known.set(entry.key, entry);
        this._sorted.splice(after(this._sorted, entry.tick), 0, entry);
        fresh.push(entry);
      } else if (!old.status && entry.status) {
        Object.assign(old, { status: entry.status, code: entry.code }); // of an input that the log knew before its outcome
        this.version += 1;
      } else if (entry.player && !old.players.includes(entry.player)) {
        old.players = [...old.players, entry.player]; // an event for several players is told of each of them: one line
        this.version += 1;
      }
    }
    if (fresh.length === 0) return fresh;
    this.version += 1;
    if (this._sorted.length > MOST) this._forget(shown);
    return fresh;
  }

  /** The entries up to a tick, newest first, at most so many, for which `wanted` holds. */
  until(tick, most, wanted = () => true) {
    const list = [];
    let entry = after(this._sorted, tick) - 1;
    let mark = after(this._marks, tick) - 1;
    while ((entry >= 0 || mark >= 0) && list.length < most) {
      const isMark = entry < 0 || (mark >= 0 && this._marks[mark].tick >= this._sorted[entry].tick);
      const next = isMark ? this._marks[mark--] : this._sorted[entry--];
      if (wanted(next)) list.push(next);
    }
    return list;
  }

  /** All for which `wanted` holds, oldest first. */
  all(wanted) {
    return [...this._marks, ...this._sorted].filter(wanted).sort((one, other) => one.tick - other.tick);
  }

  /** The nearest before (way −1) or after (way 1) a tick for which `wanted` holds. */
  nearest(way, tick, wanted) {
    if (way < 0) return this.until(tick - 1, 1, wanted)[0];
    const later = (list) => list.slice(after(list, tick)).find(wanted);
    const [entry, mark] = [later(this._sorted), later(this._marks)];
    return mark === undefined || (entry !== undefined && entry.tick <= mark.tick) ? entry : mark;
  }

  /** A player's latest input by a tick. */
  lastInput(player, tick) {
    return this.until(tick, 1, (entry) => entry.type === "input" && entry.player === player)[0];
  }

  /** Drops what is farthest from a tick, and with it the claim to know those ticks. */
  _forget(shown) {
    const list = this._sorted;
    const tooMany = list.length - MOST;
    const isBehind = shown - list[0].tick > list[list.length - 1].tick - shown;
    const gone = isBehind ? list.splice(0, tooMany) : list.splice(MOST);
    for (const { key } of gone) this._known.delete(key);
    const [first, last] = isBehind ? [gone[gone.length - 1].tick + 1, Infinity] : [0, gone[0].tick - 1];
    this.inputs.keep(first, last);
    this.events.keep(first, last);
  }
}

/** How many entries of a list in order have a tick of at most this. */
function after(list, tick) {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].tick <= tick) low = middle + 1;
    else high = middle;
  }
  return low;
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

function markEntry({ tick, kind, text, player }) {
  return { key: `m ${tick} ${kind} ${player}`, tick, type: "mark", player, players: player ? [player] : [], kind, data: null, text: words(text) };
}
