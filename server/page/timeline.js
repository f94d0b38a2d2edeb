// The bar under the picture: the whole time as a line with marks, and a button for all that can be done with it.

import { SPEEDS } from "/page/time.js";
import { briefArgs, duration, gameTime, html, Icon, number, useChanges, useRef, useState, words } from "/page/ui.js";

const MARKS_DRAWN_MOST = 600;
const EXPLAINED_MOST = 4;
const NAMES_MOST = 3;
const NEAR_PX = 8;

/** The bar of controls under the picture. */
export function Timeline({ viewing, time, history, children }) {
  const [typed, setTyped] = useState(null);
  useChanges((again) => time.on(again), [time]);
  useChanges((again) => history.on(again), [history]);
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
          <input id="tick" inputmode="numeric" pattern="[0-9]*" size="8" value=${typed ?? String(tick)} onFocus=${(event) => { setTyped(event.currentTarget.value); event.currentTarget.select(); }} onInput=${(event) => setTyped(event.currentTarget.value)} onBlur=${() => setTyped(null)} />
        </label>
        <span class="quiet">${gameTime(tick, tickHz)}</span>
      </form>
      <span class="group">
        ${button("Previous event", "Q", () => time.toEvent(-1), "‹ event")}
        ${button("Next event", "E", () => time.toEvent(1), "event ›")}
        ${history.looking
          ? html`<button type="button" onClick=${() => history.cancel()}>Stop looking</button> <span class="quiet" role="status">at tick ${number(history.looking.tick)} …</span>`
          : time.said?.tick === tick
            ? html`<span class="quiet">${time.said.text}</span>`
            : null}
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

/** What kind of mark a moment gets: colour says it, and its height. */
function markOf(moment) {
  if (moment.status === "rejected") return "rejected";
  if (moment.type === "mark" && (moment.kind === "code" || moment.kind === "engine")) return "code";
  return moment.type;
}

/** A moment in words, for whoever points at its mark. */
function explain(moment, players) {
  if (moment.text) return moment.text;
  const names = moment.players.slice(0, NAMES_MOST).map((id) => players.find(({ player }) => player === id)?.name ?? id);
  const everyone = moment.players.length > NAMES_MOST ? ` and ${moment.players.length - NAMES_MOST} more` : "";
  const status = moment.status && moment.status !== "applied" ? ` (${moment.status})` : "";
  return [`${words(moment.kind)}${status}`, `${names.join(", ")}${everyone}`, briefArgs(moment.data)].filter(Boolean).join(" · ");
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
    const away = (mark) => Math.abs(mark.tick - at);
    const near = moments.filter((mark) => away(mark) <= (span * NEAR_PX) / width).sort((one, other) => away(one) - away(other));
    setOver({ at: Math.max(firstTick, Math.min(lastTick, at)), near, left: ((at - firstTick) / span) * 100 });
  };
  return html`<div class="scrubber" ref=${track} onPointerMove=${hover} onPointerLeave=${() => setOver(null)}>
    <svg class="marks" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">
      ${shown.map((moment) => html`<rect key=${moment.key} class=${markOf(moment)} x=${((moment.tick - firstTick) / span) * 1000 - 1} y=${moment.type === "mark" ? 4 : 0} width="2" height=${moment.type === "mark" ? 6 : 10} />`)}
    </svg>
    <input type="range" aria-label="Tick" aria-valuetext=${text} min=${firstTick} max=${lastTick} step="1" value=${tick} onInput=${(event) => viewing.seek(Number(event.currentTarget.value))} />
    ${over
      ? html`<div class="tip" style=${{ left: `${Math.max(4, Math.min(90, over.left))}%` }}>
          ${number(over.at)} · ${gameTime(over.at, tickHz)}
          ${over.near.slice(0, EXPLAINED_MOST).map((moment) => html`<div>${number(moment.tick)} ${explain(moment, viewing.players)}</div>`)}
          ${over.near.length > EXPLAINED_MOST ? html`<div>and ${over.near.length - EXPLAINED_MOST} more</div>` : null}
        </div>`
      : null}
  </div>`;
}
