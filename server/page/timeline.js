// Time: play, step, scrub, speed, events before and after, live. What a button does a key does too (`KEYS`).

import { duration, gameTime, html, Icon, number, useEffect, useRef, useState, words } from "/page/ui.js";

export const SPEEDS = [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64];
const IDLE_S = 4; // so long without an event is skipped
const BEFORE_EVENT_S = 1;
const MARKS_DRAWN_MOST = 600;

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

/** What can be done with a viewing's time. `wanted(entry)` says which events count for previous and next. */
export class Time {
  constructor(viewing) {
    this.viewing = viewing;
    this.wanted = () => true;
    this.skipIdle = false;
    this._listeners = new Set();
    this._stop = viewing.on("frame", (frame, news) => this._skip(frame, news));
    this._lastNewsTick = 0;
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

  toggleIdle() {
    this.skipIdle = !this.skipIdle;
    for (const listener of this._listeners) listener();
  }

  /** The marks and the events heard of that count, in order: {tick, kind, text, players}. */
  get moments() {
    const { viewing } = this;
    const marks = viewing.marks.map((mark) => ({ ...mark, type: "mark", players: mark.player ? [mark.player] : [] }));
    const heard = viewing.story.between(-1, Infinity).filter(({ type }) => type === "event");
    const name = (id) => viewing.players.find(({ player }) => player === id)?.name ?? id;
    const said = heard.map((entry) => ({ ...entry, text: `${words(entry.kind)} ${entry.players.slice(0, 3).map(name).join(", ")}` }));
    return [...marks, ...said].filter((moment) => this.wanted(moment)).sort((one, other) => one.tick - other.tick);
  }

  toEvent(way) {
    const now = this.viewing.tick;
    const { moments } = this;
    const next = way > 0 ? moments.find(({ tick }) => tick > now) : moments.findLast(({ tick }) => tick < now);
    return next === undefined ? undefined : this.viewing.seek(next.tick);
  }

  /** Jumps to shortly before the next mark when nothing has happened for a while. */
  async _skip(frame, news) {
    const { viewing } = this;
    if (news.length > 0) this._lastNewsTick = frame.tick;
    if (!this.skipIdle || !viewing.playing || viewing.live || this._skipping) return;
    const calm = IDLE_S * viewing.tickHz;
    const next = this.moments.find(({ tick }) => tick > frame.tick)?.tick;
    if (next === undefined || next - frame.tick < calm || frame.tick - this._lastNewsTick < calm) return;
    this._skipping = true;
    await viewing.seek(next - Math.round(BEFORE_EVENT_S * viewing.tickHz));
    await viewing.control("play");
    this._skipping = false;
  }
}

/** The bar of controls under the picture. */
export function Timeline({ viewing, time, children }) {
  const [typed, setTyped] = useState(null);
  const [, again] = useState(0);
  useEffect(() => time.on(() => again((count) => count + 1)), [time]);
  const { tick, firstTick, lastTick, tickHz, live, playing, stream } = viewing;
  const behind = Math.max(0, lastTick - tick);
  const spoken = `tick ${tick} of ${lastTick}, ${gameTime(tick, tickHz)}`;
  const go = (event) => {
    event.preventDefault();
    if (/^\d+$/.test(typed ?? "")) viewing.seek(Number(typed));
    setTyped(null);
    event.currentTarget.querySelector("input").blur();
  };
  const button = (label, title, run, shown, more = {}) =>
    html`<button type="button" aria-label=${label} title=${`${label} (${title})`} onClick=${run} ...${more}>${shown}</button>`;
  return html`<div class="timeline" role="group" aria-label="Time">
    <${Scrubber} viewing=${viewing} moments=${time.moments} text=${spoken} />
    <div class="controls">
      <span class="group">
        ${button("First tick", "Home", () => viewing.seek(firstTick), html`<${Icon} name="first" />`)}
        ${button("Ten ticks back", "Shift ←", () => time.step(-10), "−10")}
        ${button("One tick back", "←", () => time.step(-1), "−1")}
        ${button(playing ? "Pause" : "Play", "Space", () => time.toggle(), html`<${Icon} name=${playing ? "pause" : "play"} />`, { class: "primary play" })}
        ${button("One tick on", "→", () => time.step(1), "+1")}
        ${button("Ten ticks on", "Shift →", () => time.step(10), "+10")}
        ${button("Latest tick", "End", () => viewing.seek(lastTick), html`<${Icon} name="last" />`)}
      </span>
      <form class="group clock" onSubmit=${go}>
        <label><span class="unseen">Tick to go to</span>
          <input id="tick" inputmode="numeric" pattern="[0-9]*" size="8" value=${typed ?? String(tick)} onFocus=${(event) => { setTyped(String(viewing.tick)); event.currentTarget.select(); }} onInput=${(event) => setTyped(event.currentTarget.value)} onBlur=${() => setTyped(null)} />
        </label>
        <span class="quiet">${gameTime(tick, tickHz)}</span>
      </form>
      <span class="group">
        ${button("Previous event", "Q", () => time.toEvent(-1), "‹ event")}
        ${button("Next event", "E", () => time.toEvent(1), "event ›")}
      </span>
      <label class="group"><span class="unseen">Speed</span>
        <select title="Speed ([ and ])" value=${String(stream?.speed ?? 1)} onChange=${(event) => time.setSpeed(Number(event.currentTarget.value))}>
          ${SPEEDS.map((speed) => html`<option value=${String(speed)}>${speed}×</option>`)}
        </select>
      </label>
      <button type="button" aria-pressed=${time.skipIdle} title="Jump over what is idle in a recording (I)" onClick=${() => time.toggleIdle()}>Skip idle</button>
      ${viewing.over ? null : html`<button type="button" class=${live ? "live on" : "live"} aria-pressed=${live} title="Watch it as it happens (L)" onClick=${() => viewing.control("live")}>${live ? "● live" : `○ live · ${duration(behind / tickHz)} behind`}</button>`}
      <span class="room"></span>
      ${children}
    </div>
  </div>`;
}

/** The whole time as a line with marks; what is under the pointer is explained. */
function Scrubber({ viewing, moments, text }) {
  const { tick, firstTick, lastTick, tickHz } = viewing;
  const [over, setOver] = useState(null);
  const track = useRef(null);
  const span = Math.max(1, lastTick - firstTick);
  const shown = moments.length <= MARKS_DRAWN_MOST ? moments : moments.filter((_, at) => at % Math.ceil(moments.length / MARKS_DRAWN_MOST) === 0);
  const hover = (event) => {
    const { left, width } = track.current.getBoundingClientRect();
    const at = Math.round(firstTick + ((event.clientX - left) / width) * span);
    const near = moments.filter((mark) => Math.abs(mark.tick - at) <= (span * 8) / width).slice(0, 4);
    setOver({ at: Math.max(firstTick, Math.min(lastTick, at)), near, left: ((at - firstTick) / span) * 100 });
  };
  return html`<div class="scrubber" ref=${track} onPointerMove=${hover} onPointerLeave=${() => setOver(null)}>
    <svg class="marks" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">
      ${shown.map((moment, at) => html`<rect key=${at} class=${moment.kind === "code" ? "code" : undefined} x=${((moment.tick - firstTick) / span) * 1000 - 1} y="0" width="2" height="10" />`)}
    </svg>
    <input type="range" aria-label="Tick" aria-valuetext=${text} min=${firstTick} max=${lastTick} step="1" value=${tick} onInput=${(event) => viewing.seek(Number(event.currentTarget.value))} />
    ${over
      ? html`<div class="tip" style=${{ left: `${Math.max(4, Math.min(90, over.left))}%` }}>
          ${number(over.at)} · ${gameTime(over.at, tickHz)}
          ${over.near.map((moment) => html`<div>${number(moment.tick)} ${moment.text}</div>`)}
        </div>`
      : null}
  </div>`;
}
