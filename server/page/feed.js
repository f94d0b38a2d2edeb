// What has happened: events and inputs with the thoughts behind them, newest first, filtered by player and kind.

import { filterOf } from "/page/story.js";
import { briefArgs, html, number, SeatBadge, useChanges, useEffect, useState, words } from "/page/ui.js";

const SHOWN_MOST = 150;
const STALE_S = 5; // an input that was decided on something older than this is worth a word

/** The kinds of inputs and events that a game declares: whatever it has, not only what has been heard of. */
function useKinds({ wire, stream }) {
  const [kinds, setKinds] = useState([]);
  const game = stream?.game;
  useEffect(() => {
    if (!game) return undefined;
    let wanted = true;
    wire.read("rules", { game }).then(
      ({ inputs, events }) => wanted && setKinds([...Object.keys(events).map((kind) => `event ${kind}`), ...Object.keys(inputs).map((kind) => `input ${kind}`)]),
      (error) => console.warn(`the kinds of events of ${game}: ${error.message}`), // a game that is no longer there
    );
    return () => {
      wanted = false;
    };
  }, [wire, game]);
  return kinds;
}

export function Feed({ viewing, history, filter, onFilter, onSeek, onEntry }) {
  const [calm, setCalm] = useState(false);
  useChanges((again) => history.on(again), [history]);
  const { story, players, tick } = viewing;
  const wanted = filterOf(filter);
  const entries = story.until(tick, SHOWN_MOST, (entry) => wanted(entry) && !(calm && !entry.note));
  const kinds = useKinds(viewing);
  return html`<section class="happened" aria-labelledby="happened-title">
    <h2 id="happened-title">What happened</h2>
    <div class="filters">
      <select aria-label="Player" value=${filter.player ?? ""} onChange=${(event) => onFilter({ ...filter, player: event.currentTarget.value || undefined })}>
        <option value="">all players</option>
        ${players.map((player) => html`<option key=${player.player} value=${player.player}>${player.seat} ${player.name}</option>`)}
      </select>
      <select aria-label="Kind" value=${filter.kind ?? ""} onChange=${(event) => onFilter({ ...filter, kind: event.currentTarget.value || undefined })}>
        <option value="">all kinds</option>
        <option value="event">all events</option>
        <option value="input">all inputs</option>
        <option value="rejected">rejected inputs</option>
        <option value="mark">who came and went</option>
        ${kinds.map((kind) => html`<option key=${kind} value=${kind}>${words(kind)}</option>`)}
      </select>
      <label class="check"><input type="checkbox" checked=${calm} onChange=${(event) => setCalm(event.currentTarget.checked)} /> thoughts only</label>
    </div>
    <ol class="feed" tabindex="0" aria-label="What happened, newest first">
      ${entries.map((entry) => html`<${Line} key=${entry.key} entry=${entry} viewing=${viewing} onSeek=${onSeek} onEntry=${onEntry} />`)}
      ${entries.length < SHOWN_MOST ? html`<li class="quiet edge"><${Edge} viewing=${viewing} history=${history} isEmpty=${entries.length === 0} /></li>` : null}
    </ol>
  </section>`;
}

/** How far back the feed goes, and the way further. */
function Edge({ viewing, history, isEmpty }) {
  const { knownFrom } = history;
  if (history.busy) return "looking …";
  if (knownFrom <= viewing.firstTick) return isEmpty ? "Nothing yet." : "That is how it began.";
  return html`<button type="button" onClick=${() => history.earlier()}>What happened before tick ${number(knownFrom)}?</button>
    ${history.problem ? html` <span>${history.problem.message}</span>` : null}`;
}

/** What an event or an input holds; players by name, what somebody says as it was said. */
function Data({ data, viewing }) {
  const { text, ...rest } = data ?? {};
  const named = Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, viewing.players.find(({ player }) => player === value)?.name ?? value]));
  if (typeof text !== "string") return briefArgs(text === undefined ? named : { ...named, text });
  return html`${briefArgs(named)} <q class="said">${text}</q>`;
}

function Line({ entry, viewing, onSeek, onEntry }) {
  const who = entry.players.map((id) => viewing.players.find((player) => player.player === id) ?? { player: id, name: id });
  const everyone = who.length > 1 && who.length === viewing.players.length;
  const age = entry.observedTick == null ? 0 : (entry.tick - entry.observedTick) / viewing.tickHz;
  return html`<li class=${`${entry.type} ${entry.status ?? ""}`}>
    <button type="button" class="tick" title="Go to this tick" onClick=${() => onSeek(entry.tick)}>${number(entry.tick)}</button>
    ${entry.text ? null : everyone ? html`<span class="quiet">everyone</span>` : who.map((player) => html`<span class="who" key=${player.player}>${player.seat ? html`<${SeatBadge} seat=${player.seat} />` : null}<span class="name">${player.name}</span></span>`)}
    ${entry.text ? html` <span>${entry.text}</span>` : html` <span><strong>${words(entry.kind)}</strong> <${Data} data=${entry.data} viewing=${viewing} /></span>`}
    ${entry.type === "input" && entry.status !== "applied" ? html`<span class=${`mark ${entry.status}`}>${entry.status}${entry.code ? `: ${words(entry.code)}` : ""}</span>` : null}
    ${age > STALE_S ? html`<span class="quiet"> · decided on what was ${age.toFixed(0)} s earlier</span>` : null}
    ${entry.type === "input" ? html` <button type="button" class="open-entry" aria-label=${`Entry of the log: ${words(entry.kind)} at tick ${entry.tick}`} title="Open its entry of the log" onClick=${() => onEntry(entry)}>entry</button>` : null}
    ${entry.note ? html`<p class="note">${entry.note}</p>` : null}
  </li>`;
}
