// One world, live and recorded in one view: the picture, time under it, players and what happened beside it.

import { Badge, useRow } from "/page/badge.js";
import { listenToHost } from "/page/embed.js";
import { ENTRY_KEYS } from "/page/entries.js";
import { Feed } from "/page/feed.js";
import { OwnWorld } from "/page/fork.js";
import { History } from "/page/history.js";
import { Inside } from "/page/inside.js";
import { Inspector, useOpen } from "/page/inspector.js";
import { worldAddress } from "/page/route.js";
import { TickTimes, useCodeMarks, useVersions } from "/page/sparkline.js";
import { CameraButtons, cameraKey, Stage } from "/page/stage.js";
import { Commands } from "/page/takeaway.js";
import { KEYS, Time } from "/page/time.js";
import { Timeline } from "/page/timeline.js";
import { announce, Copy, Dialog, html, number, Problem, SeatBadge, useEffect, useLayoutEffect, useRef, useState, useTitle, words } from "/page/ui.js";
import { Viewing } from "/page/viewing.js";

const DRAW_EVERY_MS = 125; // texts beside the picture
const ADDRESS_EVERY_MS = 500;
const WIDE_FROM = 2.4;
const NAMED_MOST = 12;

const CAMERA_KEYS = [
  ["Z, X", "closer, farther"],
  ["W A S D", "move the picture"],
  ["0", "the whole world"],
  ["F", "follow the next player, at the end nobody"],
  ["G", "type a tick"],
  ["V", "look inside: the log, the state and more"],
  ...ENTRY_KEYS,
  ["?", "this help"],
];

/** Watch a world; `tick` and `as` come from the address, `visit` is another one whenever somebody goes to one. `embedded`:
 * in a frame on somebody's page. */
export function World({ wire, world, tick, as, visit, embedded }) {
  const [viewing] = useState(() => new Viewing(wire, world, { tick, as }));
  const [history] = useState(() => new History(viewing));
  const [time] = useState(() => new Time(viewing, history));
  const [follow, setFollow] = useState(null);
  const [filter, setFilter] = useState({});
  const [open, setOpen] = useState(null);
  const [eyes, setEyes] = useState(as);
  const [times] = useState(() => new TickTimes(viewing));
  const [looking, setLooking] = useOpen();
  const [entry, setEntry] = useState(null);
  const mayOwn = wire.welcome !== null && wire.welcome.role !== "spectator" && !embedded;
  const row = useRow(wire, world, mayOwn || (looking && !embedded));
  const isMine = row != null && row.owner === wire.welcome?.agent;
  const isDeveloper = wire.welcome?.role === "developer" && !embedded;
  const found = useVersions(wire, world, row?.digest, row !== undefined && (isDeveloper || looking || isMine));
  useCodeMarks(viewing, found.versions);
  const painter = useRef(null);
  useRedraw(viewing);
  useTitle(viewing.stream ? `${viewing.stream.game} ${world}` : world);
  useEffect(() => () => [time.close(), times.close(), history.close(), viewing.close()], []);
  useLayoutEffect(() => (embedded ? listenToHost(viewing) : undefined), []);
  useEffect(() => {
    if (tick !== undefined && viewing.stream && tick !== viewing.tick) viewing.seek(tick); // the address was changed
  }, [visit]);
  useEffect(() => {
    if (!painter.current) return;
    painter.current.follow = follow;
    painter.current.again();
  }, [follow]);
  useAddress(viewing, world, eyes);
  useNews(viewing);
  const narrow = (wanted) => {
    setFilter(wanted);
    time.setFilter(wanted); // now: the next key may be the one for the next event
  };
  const pick = (player) => {
    setFollow(player);
    if (player && painter.current && painter.current.camera.share > 0.6) painter.current.zoom(2.5);
  };
  const look = (player) => {
    setEyes(player);
    viewing.see(player);
  };
  const openEntry = (input) => {
    setEntry({ ...input });
    setLooking(true);
  };
  const nextPlayer = () => {
    const ids = [null, ...viewing.players.map(({ player }) => player)];
    pick(ids[(ids.indexOf(follow) + 1) % ids.length]);
  };
  useKeys({ time, painter, nextPlayer, onHelp: () => setOpen("help"), onInside: () => setLooking(!looking) });
  const stream = viewing.stream;
  if (!stream && viewing.error) return html`<main id="main"><${Problem} error=${viewing.error} /><p><a href="#/">All games and worlds</a></p></main>`;
  const shape = shapeOf(viewing.scene);
  return html`<main id="main" class=${`watching ${embedded ? "embedded" : ""} ${shape.wide ? "wide" : ""}`}>
    <div class="left">
      <div class="world-head">
        <h1>${stream?.game ? words(stream.game) : "World"} <span class="id">${world}</span></h1>
        <span class="quiet">${stream ? (viewing.players.length === 1 ? "1 player" : `${viewing.players.length} players`) : "…"}</span>
        ${viewing.ended ? html`<span class="status" role="status">ended: ${words(viewing.ended)}</span>` : null}
        ${isDeveloper ? html`<${Badge} row=${row} />` : null}
        <span class="room"></span>
        <${CameraButtons} painter=${painter} />
        ${embedded ? html`<a href=${`/${worldAddress(world, viewing.tick, eyes)}`} target="_blank" rel="noopener">Open</a>` : null}
      </div>
      <${Problem} error=${viewing.error} />
      <${Stage} viewing=${viewing} active ratio=${shape.wide && !embedded ? shape.ratio : undefined} label=${sceneLine(viewing)} onPainter=${(made) => { painter.current = made; }} onPick=${pick} />
      <${Timeline} viewing=${viewing} time=${time} history=${history}>
        ${embedded ? null : html`<button type="button" aria-expanded=${String(looking)} title="The log, the state and more (V)" onClick=${() => setLooking(!looking)}>Inside</button>`}
        <button type="button" aria-haspopup="dialog" onClick=${() => setOpen("share")}>Share</button>
        <button type="button" aria-haspopup="dialog" aria-label="Help: keys" title="Keys (?)" onClick=${() => setOpen("help")}>?</button>
      <//>
      ${embedded ? null : html`<${OwnWorld} wire=${wire} viewing=${viewing} row=${row} genesis=${found.genesis} />`}
      ${looking && !embedded ? html`<${Inspector} wire=${wire} viewing=${viewing} row=${row} found=${found} times=${times} as=${eyes} wanted=${entry} onOpened=${() => setEntry(null)} onEyes=${look} onClose=${() => setLooking(false)} />` : null}
      ${embedded ? null : html`<${InWords} viewing=${viewing} />`}
    </div>
    ${embedded
      ? null
      : html`<div class="right">
          <${Players} viewing=${viewing} follow=${follow} onFollow=${pick} />
          <${Inside} viewing=${viewing} as=${eyes} onAs=${look} />
          <${Feed} viewing=${viewing} history=${history} filter=${filter} onFilter=${narrow} onSeek=${(at) => viewing.seek(at)} onEntry=${openEntry} />
        </div>`}
    ${open === "help" ? html`<${Help} onClose=${() => setOpen(null)} />` : null}
    ${open === "share" ? html`<${Share} viewing=${viewing} world=${world} as=${eyes} onClose=${() => setOpen(null)} />` : null}
  </main>`;
}

/** How wide a world is: one that is much wider than deep gets the page's width. */
function shapeOf(scene) {
  const { west, east, north, south } = scene.bounds();
  const ratio = (east - west) / (south - north);
  return { ratio, wide: ratio >= WIDE_FROM && scene.camera?.look !== "side" };
}

// --- beside the picture --------------------------------------------------------------------------------

function Players({ viewing, follow, onFollow }) {
  const best = [...viewing.players].sort((one, other) => other.score - one.score || one.seat - other.seat);
  return html`<section class="players" aria-labelledby="players-title">
    <h2 id="players-title">Players</h2>
    ${best.length === 0 ? html`<p class="quiet">nobody yet</p>` : null}
    <ol>
      ${best.map((player) => html`<${PlayerRow} key=${player.player} player=${player} last=${viewing.story.lastInput(player.player, viewing.tick)} followed=${follow === player.player} onFollow=${onFollow} />`)}
    </ol>
  </section>`;
}

function PlayerRow({ player, last, followed, onFollow }) {
  return html`<li>
    <button type="button" class="player" aria-pressed=${followed} title=${followed ? "Follow no longer" : "Follow"} onClick=${() => onFollow(followed ? null : player.player)}>
      <${SeatBadge} seat=${player.seat} />
      <span class="name">${player.name}</span>
      ${player.connected === false ? html`<span class="quiet">away</span>` : null}
      <span class="room"></span>
      <span class="score">${number(player.score)}</span>
    </button>
    ${last
      ? html`<p class="thought"><span class="quiet">${words(last.kind)}${last.status && last.status !== "applied" ? html` <span class=${`mark ${last.status}`}>${last.status}</span>` : null}</span> ${last.note ? html`<span class="note">${last.note}</span>` : null}</p>`
      : null}
  </li>`;
}

function sceneLine(viewing) {
  const { scene, players, stream } = viewing;
  if (!stream) return "The picture of the world, which is not there yet";
  const named = players.slice(0, NAMED_MOST).map((player) => `${player.name} ${number(player.score)}`);
  return `${words(stream.game)} at tick ${scene.tick}: ${scene.things.size} things, players with scores: ${named.join(", ") || "none"}`;
}

/** The scene as text, for whoever does not see the picture. */
function InWords({ viewing }) {
  const [open, setOpen] = useState(false);
  return html`<details class="in-words" onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary>The picture in words</summary>
    ${open ? html`<${Words} viewing=${viewing} />` : null}
  </details>`;
}

function Words({ viewing }) {
  const counts = new Map();
  const bodies = [];
  for (const { node } of viewing.scene.things.values()) {
    if (node.kind === "player") bodies.push(node);
    else counts.set(node.kind, (counts.get(node.kind) ?? 0) + 1);
  }
  const kinds = [...counts].sort().map(([kind, count]) => `${count} ${words(kind)}`);
  return html`<p>Tick ${viewing.tick}. Besides players: ${kinds.join(", ") || "nothing"}. x is east, z is south.</p>
    <ul>
      ${bodies.map((node) => html`<li key=${node.id}>${node.name} at x ${number(Math.round(node.x))}, z ${number(Math.round(node.z))}${node.label ? `: ${node.label}` : ""}</li>`)}
    </ul>`;
}

function Share({ viewing, world, as, onClose }) {
  const [atTick, setAtTick] = useState(!viewing.live);
  const [tick] = useState(viewing.tick);
  const address = worldAddress(world, atTick ? tick : undefined, as);
  const link = `${location.origin}/${address}`;
  const frame = `<iframe src="${location.origin}/embed${address}" width="800" height="520" title="Worldline ${world}"></iframe>`;
  return html`<${Dialog} title="Share" onClose=${onClose}>
    <label class="check"><input type="checkbox" checked=${atTick} onChange=${(event) => setAtTick(event.currentTarget.checked)} /> at tick ${number(tick)}</label>
    <div class="field">
      <label for="share-link">Link</label>
      <input id="share-link" readonly value=${link} onFocus=${(event) => event.currentTarget.select()} />
    </div>
    <p class="actions"><${Copy} text=${link}>Copy link<//></p>
    <div class="field">
      <label for="share-frame">For a page of yours</label>
      <input id="share-frame" readonly value=${frame} onFocus=${(event) => event.currentTarget.select()} />
    </div>
    <p class="actions"><${Copy} text=${frame}>Copy frame<//></p>
    <${Commands} world=${world} tick=${tick} />
  <//>`;
}

function Help({ onClose }) {
  const rows = [...KEYS.map(({ shown, does }) => [shown, does]), ...CAMERA_KEYS];
  return html`<${Dialog} title="Keys" onClose=${onClose}>
    <table>
      <tbody>
        ${rows.map(([key, does]) => html`<tr key=${key}><th scope="row"><kbd>${key}</kbd></th><td>${does}</td></tr>`)}
      </tbody>
    </table>
    <p class="quiet">Drag moves the picture, the wheel or two fingers zoom, a click on a player follows it.</p>
  <//>`;
}

// --- hooks ---------------------------------------------------------------------------------------------

/** Draws the texts again when something has changed: at once after a rest or where time stands still, else some times a
 * second. */
function useRedraw(viewing) {
  const [, again] = useState(0);
  useLayoutEffect(() => {
    let timer = null;
    let drawnAt = 0;
    const stop = viewing.on("change", () => {
      const restUntil = viewing.live || viewing.playing ? drawnAt + DRAW_EVERY_MS : 0;
      timer ??= setTimeout(
        () => {
          timer = null;
          drawnAt = performance.now();
          again((count) => count + 1);
        },
        Math.max(0, restUntil - performance.now()),
      );
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [viewing]);
}

/** Keeps the address what one would share: the world, and its tick while it stands still. */
function useAddress(viewing, world, as) {
  useEffect(() => {
    let timer = null;
    const stop = viewing.on("change", () => {
      timer ??= setTimeout(() => {
        timer = null;
        if (!viewing.stream) return;
        const still = !viewing.live && !viewing.playing;
        const address = worldAddress(world, still ? viewing.tick : undefined, as);
        if (location.hash !== address && location.hash.startsWith(`#/w/${world}`)) history.replaceState(null, "", address);
      }, ADDRESS_EVERY_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [viewing, as]);
}

/** Tells screen readers what happens. */
function useNews(viewing) {
  useEffect(
    () =>
      viewing.on("frame", (frame, news) => {
        const last = news.findLast((entry) => entry.type === "event");
        if (!last) return;
        const names = last.players.map((id) => viewing.players.find(({ player }) => player === id)?.name ?? id);
        announce(`tick ${last.tick}: ${words(last.kind)} ${names.length > 3 ? "several players" : names.join(", ")}`);
      }),
    [viewing],
  );
}

function useKeys(what) {
  const latest = useRef(null);
  latest.current = what;
  useLayoutEffect(() => {
    const pressed = (event) => handleKey(event, latest.current);
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}

function handleKey(event, { time, painter, nextPlayer, onHelp, onInside }) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const { target } = event;
  const plain = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (target.closest("input, select, textarea, dialog")) return;
  if (plain === " " && target.closest("button, a, summary")) return; // the element's own key
  const name = event.shiftKey && event.key.startsWith("Arrow") ? `shift+${event.key}` : plain;
  const key = KEYS.find(({ keys }) => keys.includes(name));
  if (key) key.run(time);
  else if (plain === "?") onHelp();
  else if (plain === "f") nextPlayer();
  else if (plain === "v") onInside();
  else if (plain === "g") document.getElementById("tick").focus();
  else if (!painter.current || !cameraKey(painter.current, plain)) return;
  event.preventDefault();
}
