// Which ticks of a world something is known of: spans without overlap, in order. Pure.

export class Spans {
  constructor() {
    this._list = []; // [first, last], both included
  }

  /** From `first` to `last` all is known now. */
  add(first, last) {
    if (first > last) return;
    const apart = this._list.filter(([from, to]) => to < first - 1 || from > last + 1);
    const joined = this._list.filter(([from, to]) => to >= first - 1 && from <= last + 1);
    const from = Math.min(first, ...joined.map(([start]) => start));
    const to = Math.max(last, ...joined.map(([, end]) => end));
    this._list = [...apart, [from, to]].sort(([one], [other]) => one - other);
  }

  /** The last tick up to which all is known from `tick` on; the tick before it, if it is not known itself. */
  knownUntil(tick) {
    return this._around(tick)?.[1] ?? tick - 1;
  }

  /** The first tick from which all is known up to `tick`; the tick after it, if it is not known itself. */
  knownFrom(tick) {
    return this._around(tick)?.[0] ?? tick + 1;
  }

  /** What is not known between two ticks, both included: spans in order. */
  missing(first, last) {
    const gaps = [];
    let at = first;
    for (const [from, to] of this._list) {
      if (to < at) continue;
      if (from > last) break;
      if (from > at) gaps.push([at, from - 1]);
      at = to + 1;
    }
    if (at <= last) gaps.push([at, last]);
    return gaps;
  }

  /** Forgets all outside of two ticks. */
  keep(first, last) {
    this._list = this._list.map(([from, to]) => [Math.max(from, first), Math.min(to, last)]).filter(([from, to]) => from <= to);
  }

  _around(tick) {
    return this._list.find(([from, to]) => from <= tick && tick <= to);
  }
}
