// What has happened: events and inputs with the thoughts behind them, newest first, filtered by player and kind.

import { briefArgs, html, number, SeatBadge, useState, words } from "/page/ui.js";

const SHOWN_MOST = 150;
const STALE_S = 5; // an input that was decided on something older than this is worth a word

/** Which entries of a story are wanted, by player and by kind. */
export function filterOf({ player, kind }) {
  return (entry) => (!player || entry.players.includes(player)) && (!kind || kind === `${entry.type} ${entry.kind}` || kind === entry.type);
}

export function Feed({ viewing, filter, onFilter, onSeek, onEntry }) {
  const [calm, setCalm] = useState(false);
  const { story, players, tick } = viewing;
  const wanted = filterOf(filter);
  const entries = story.until(tick, SHOWN_MOST, (entry) => wanted(entry) && !(calm && entry.type === "event"));
  const kinds = [...new Set(story.between(-1, Infinity).map((entry) => `${entry.type} ${entry.kind}`))].sort();
  return html`<section class="happened" aria-labelledby="happened-title">
    <h2 id="happened-title">What happened</h2>
    <div class="filters">
      <label><span class="unseen">Player</span>
        <select value=${filter.player ?? ""} onChange=${(event) => onFilter({ ...filter, player: event.currentTarget.value || undefined })}>
          <option value="">all players</option>
          ${players.map((player) => html`<option key=${player.player} value=${player.player}>${player.seat} ${player.name}</option>`)}
        </select>
      </label>
      <label><span class="unseen">Kind</span>
        <select value=${filter.kind ?? ""} onChange=${(event) => onFilter({ ...filter, kind: event.currentTarget.value || undefined })}>
          <option value="">all kinds</option>
          <option value="input">all inputs</option>
          <option value="event">all events</option>
          ${kinds.map((kind) => html`<option key=${kind} value=${kind}>${words(kind)}</option>`)}
        </select>
      </label>
      <label class="check"><input type="checkbox" checked=${calm} onChange=${(event) => setCalm(event.currentTarget.checked)} /> thoughts only</label>
    </div>
    ${entries.length === 0 ? html`<p class="quiet">Nothing yet.</p>` : null}
    <ol class="feed" tabindex="0" aria-label="What happened, newest first">
      ${entries.map((entry) => html`<${Line} key=${entry.key} entry=${entry} viewing=${viewing} onSeek=${onSeek} onEntry=${onEntry} />`)}
    </ol>
  </section>`;
}

function Line({ entry, viewing, onSeek, onEntry }) {
  const who = entry.players.map((id) => viewing.players.find((player) => player.player === id) ?? { player: id, name: id });
  const everyone = who.length > 1 && who.length === viewing.players.length;
  const age = entry.observedTick == null ? 0 : (entry.tick - entry.observedTick) / viewing.tickHz;
  return html`<li class=${`${entry.type} ${entry.status ?? ""}`}>
    <button type="button" class="tick" title="Go to this tick" onClick=${() => onSeek(entry.tick)}>${number(entry.tick)}</button>
    ${everyone ? html`<span class="quiet">everyone</span>` : who.map((player) => html`<span class="who" key=${player.player}>${player.seat ? html`<${SeatBadge} seat=${player.seat} />` : null}<span class="name">${player.name}</span></span>`)}
    <span><strong>${words(entry.kind)}</strong> ${briefArgs(entry.data)}</span>
    ${entry.type === "input" && entry.status !== "applied" ? html`<span class=${`mark ${entry.status}`}>${entry.status}${entry.code ? `: ${words(entry.code)}` : ""}</span>` : null}
    ${age > STALE_S ? html`<span class="quiet"> · decided on what was ${age.toFixed(0)} s earlier</span>` : null}
    ${entry.type === "input" ? html` <button type="button" class="open-entry" aria-label=${`Entry of the log: ${words(entry.kind)} at tick ${entry.tick}`} title="Open its entry of the log" onClick=${() => onEntry(entry)}>entry</button>` : null}
    ${entry.note ? html`<p class="note">${entry.note}</p>` : null}
  </li>`;
}
