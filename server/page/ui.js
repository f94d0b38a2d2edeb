// Small parts that every view uses: html, words for numbers and times, players' colours, announcements, hooks.
//
// Invariant: other people's text reaches the page as text nodes only (`html` makes nothing else of a value).

import { html, useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from "/page/vendor/preact-htm.js";

export { html, useEffect, useLayoutEffect, useMemo, useRef, useState };

/** The palette of Okabe and Ito: eight colours that people with any colour vision tell apart. By seat, from 1. */
export const SEAT_COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#b3b3b3"];

/** The colour of a seat; beyond eight they repeat, and the number in the badge tells them apart. */
export function seatColour(seat) {
  return SEAT_COLOURS[(Math.max(1, seat) - 1) % SEAT_COLOURS.length];
}

/** Black or white, whichever can be read on a colour #rrggbb. */
export function inkOn(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return red * 0.299 + green * 0.587 + blue * 0.114 > 140 ? "#111" : "#fff";
}

/** A player's number on the seat's colour: shape and label say what the colour says. */
export function SeatBadge({ seat }) {
  const colour = seatColour(seat);
  return html`<span class="seat" style=${{ background: colour, color: inkOn(colour) }} aria-hidden="true">${seat}</span>`;
}

const STATUS_WORDS = {
  waiting: "waiting for players",
  running: "running",
  paused: "paused",
  recovering: "recovering",
  finished: "finished",
  closed: "closed",
  faulted: "faulted",
  damaged: "damaged",
};

/** A world's status, in words and with a mark of its own shape. */
export function Status({ status }) {
  return html`<span class=${`status ${status}`}>${STATUS_WORDS[status] ?? status}</span>`;
}

export function isOver(status) {
  return ["finished", "closed", "faulted", "damaged"].includes(status);
}

/** A number for people: no more digits than help. */
export function number(value) {
  if (typeof value !== "number") return "-";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  return value.toLocaleString("en", { maximumFractionDigits: Math.abs(value) < 10 ? 2 : 1 });
}

/** Ticks as minutes and seconds of the game. */
export function gameTime(tick, tickHz) {
  const seconds = Math.floor(tick / (tickHz || 1));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** Seconds as people say them: 3.2 s, 4 min. */
export function duration(seconds) {
  return seconds < 100 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds / 60)} min`;
}

/** Any value on one line, shortened. */
export function brief(value, most = 160) {
  if (value === undefined || value === null) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** `{x: 1, to: "home"}` as x 1, to home. */
export function briefArgs(args) {
  return Object.entries(args ?? {})
    .map(([name, value]) => `${words(name)} ${typeof value === "number" ? number(value) : brief(value, 60)}`)
    .join(", ");
}

/** An identifier of the protocol as words: hit_by_wave → hit by wave. */
export function words(identifier) {
  return String(identifier).replaceAll("_", " ");
}

const ICONS = {
  first: "M4 4h2v12H4zM16 4v12L7 10z",
  last: "M14 4h2v12h-2zM4 4v12l9-6z",
  play: "M5 3v14l12-7z",
  pause: "M4 3h4v14H4zM12 3h4v14h-4z",
  whole: "M3 3h5v2H5v3H3zM12 3h5v5h-2V5h-3zM3 12h2v3h3v2H3zM15 12h2v5h-5v-2h3z",
  closer: "M9 4h2v5h5v2h-5v5H9v-5H4V9h5z",
  farther: "M4 9h12v2H4z",
};

/** A drawn sign; its button says what it means. */
export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 20 20" width="18" height="18" aria-hidden="true"><path d=${ICONS[name]} /></svg>`;
}

// --- hooks -------------------------------------------------------------------------------------------

/** Draws the component again whenever `subscribe(again)` says so; subscribe returns how to end it. It listens as soon as it
 * stands on the page, not when that has been painted: what changes in between would never be drawn. */
export function useChanges(subscribe, inputs) {
  const [, again] = useReducer((count) => count + 1, 0);
  useLayoutEffect(() => subscribe(() => again()), inputs);
}

/** Calls `look` now and every `everyMs` while the page is seen; the next call waits for the last one's promise. */
export function useLook(look, everyMs, inputs) {
  useEffect(() => {
    let timer;
    let over = false;
    const turn = async () => {
      if (!document.hidden) await look(() => !over);
      if (!over) timer = setTimeout(turn, everyMs);
    };
    turn();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, inputs);
}

export function useTitle(title) {
  useEffect(() => {
    document.title = title ? `${title} · Worldline` : "Worldline";
  }, [title]);
}

// --- what screen readers hear ------------------------------------------------------------------------

const ANNOUNCE_EVERY_MS = 3000;
let heardAt = 0;
let waiting;

/** Says `text` to screen readers; of many in a row only the latest, every three seconds. `now` goes first. */
export function announce(text, { now = false } = {}) {
  clearTimeout(waiting);
  const say = () => {
    heardAt = performance.now();
    const region = document.getElementById("announcements");
    if (region) region.textContent = text;
  };
  const left = heardAt + ANNOUNCE_EVERY_MS - performance.now();
  if (now || left <= 0) say();
  else waiting = setTimeout(say, left);
}

// --- parts -------------------------------------------------------------------------------------------

/** What went wrong and what to do, as the server said it. */
export function Problem({ error }) {
  if (!error) return null;
  return html`<p class="problem" role="alert">
    <strong>${error.message}</strong>${error.hint ? html` ${error.hint}` : null}
    ${error.valid?.length ? html` Valid here: ${error.valid.join(", ")}.` : null}
  </p>`;
}

/** A button that copies a text and says so. */
export function Copy({ text, children, title }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(typeof text === "function" ? text() : text);
    setCopied(true);
    announce("copied", { now: true });
    setTimeout(() => setCopied(false), 1500);
  };
  return html`<button type="button" title=${title} onClick=${copy}>${copied ? "Copied" : children}</button>`;
}

/** A dialog over the page; Escape and its button close it, and the focus goes back to where it was. */
export function Dialog({ title, onClose, children }) {
  const dialog = useRef(null);
  useEffect(() => {
    dialog.current.showModal();
  }, []);
  return html`<dialog ref=${dialog} aria-labelledby="dialog-title" onClose=${onClose}>
    <header>
      <h2 id="dialog-title">${title}</h2>
      <button type="button" aria-label="Close" onClick=${() => dialog.current.close()}>✕</button>
    </header>
    ${children}
  </dialog>`;
}
