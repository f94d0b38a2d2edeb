// Home: worlds that run, games to play, worlds that have ended. Looks again by itself every two seconds.

import { html, isOver, number, Problem, SeatBadge, Status, useEffect, useLook, useState, useTitle } from "/page/ui.js";
import { worldAddress } from "/page/route.js";
import { Stage } from "/page/stage.js";
import { Viewing } from "/page/viewing.js";

const LOOK_EVERY_MS = 2000;
const WORLDS_MOST = 24;
const PICTURES_MOST = 4; // a connection may watch eight
const PICTURES_HZ = 2;
const DEMO_GAME = "tsunami"; // what a demo shows, where it is there
const BOTS_MOST = 8;

function Players({ players }) {
  if (players.length === 0) return html`<p class="quiet">nobody yet</p>`;
  const best = [...players].sort((one, other) => other.score - one.score);
  return html`<ul class="names">
    ${best.map((player) => html`<li key=${player.player}><${SeatBadge} seat=${player.seat} /> <span class="name">${player.name}</span> <span class="quiet">${number(player.score)}</span></li>`)}
  </ul>`;
}

/** A small picture of a world, moving. */
function Thumbnail({ wire, world }) {
  const [viewing] = useState(() => new Viewing(wire, world, { hz: PICTURES_HZ, story: false }));
  useEffect(() => () => viewing.close(), []);
  return html`<a class="picture-link" href=${worldAddress(world)} tabindex="-1" aria-hidden="true"><${Stage} viewing=${viewing} label="" /></a>`;
}

function WorldCard({ wire, world, title, watching, moving }) {
  const name = html`<span class="id">${world.world}</span>`;
  return html`<li class="card world">
    ${moving ? html`<${Thumbnail} wire=${wire} world=${world.world} />` : null}
    <div class="card-head">
      <h3>${watching ? html`<a href=${worldAddress(world.world)}>${title} ${name}</a>` : html`${title} ${name}`}</h3>
      <${Status} status=${world.status} />
    </div>
    <p class="quiet">tick ${number(world.tick)}${world.ranked ? "" : " · not ranked"}${world.private ? " · private" : ""}${world.seats_free > 0 && !isOver(world.status) ? ` · ${world.seats_free} seats free` : ""}</p>
    <${Players} players=${world.players} />
  </li>`;
}


/** Makes a world in which the game's sample bots play, and goes there. */
function BotsButton({ wire, game, onProblem, first, children }) {
  const [busy, setBusy] = useState(false);
  const start = async () => {
    setBusy(true);
    onProblem(null);
    try {
      const made = await wire.request("create", { game: game.game, bots: Math.min(BOTS_MOST, game.max_players) });
      location.hash = worldAddress(made.world);
    } catch (error) {
      onProblem(error);
      setBusy(false);
    }
  };
  return html`<button type="button" class=${first ? "primary" : ""} disabled=${busy} onClick=${start}>${children}</button>`;
}

function GameCard({ wire, game, canPlay, canMake, onProblem }) {
  return html`<li class="card">
    <h3><a href=${`#/game/${game.game}`}>${game.title}</a></h3>
    <p>${game.summary}</p>
    <p class="quiet">${game.clock}${game.clock === "realtime" ? ` ${game.tick_hz} Hz` : ""} · up to ${game.max_players} players · ${game.worlds === 1 ? "1 world runs" : `${game.worlds} worlds run`}</p>
    <p class="actions">
      <a class="button" href=${`#/game/${game.game}`}>Rules</a>
      ${canPlay ? html`<a class="button" href=${`#/play/${game.game}`}>Play by hand</a>` : null}
      ${canMake ? html`<${BotsButton} wire=${wire} game=${game} onProblem=${onProblem}>Let bots play<//>` : null}
    </p>
  </li>`;
}

/** What there is on this server. */
export function Home({ wire }) {
  useTitle("");
  const [seen, setSeen] = useState({ games: null, worlds: [] });
  const [problem, setProblem] = useState(null);
  const [refusal, setRefusal] = useState(null);
  useLook(
    async (wanted) => {
      try {
        const [games, worlds] = await Promise.all([wire.request("games"), wire.request("worlds", { limit: WORLDS_MOST })]);
        if (!wanted()) return;
        setSeen({ games: games.games, worlds: worlds.worlds });
        setProblem(null);
      } catch (error) {
        if (wanted() && error.code !== "disconnected") setProblem(error);
      }
    },
    LOOK_EVERY_MS,
    [wire],
  );
  const { games, worlds } = seen;
  const titles = new Map((games ?? []).map((game) => [game.game, game.title]));
  const watching = wire.has("watch");
  const canPlay = wire.welcome !== null && wire.welcome.role !== "spectator";
  const canMake = wire.welcome?.role === "developer";
  const moving = new Set(watching ? worlds.filter((world) => !isOver(world.status)).slice(0, PICTURES_MOST).map(({ world }) => world) : []);
  const card = (world) => html`<${WorldCard} key=${world.world} wire=${wire} moving=${moving.has(world.world)} world=${world} title=${titles.get(world.game) ?? world.game} watching=${watching} />`;
  const live = worlds.filter((world) => !isOver(world.status));
  const ended = worlds.filter((world) => isOver(world.status));
  return html`<main id="main" class="home">
    <h1 class="title">Worlds of agents, live</h1>
    <${Problem} error=${refusal ?? problem} />
    <section aria-labelledby="live-title">
      <h2 id="live-title">Running now</h2>
      ${games === null ? html`<p class="quiet">looking …</p>` : null}
      ${games !== null && live.length === 0 ? html`<${Invitation} wire=${wire} canPlay=${canPlay} canMake=${canMake} games=${games} onProblem=${setRefusal} />` : null}
      <ul class="cards">${live.map(card)}</ul>
    </section>
    <section aria-labelledby="games-title">
      <h2 id="games-title">Games</h2>
      <ul class="cards">${(games ?? []).map((game) => html`<${GameCard} key=${game.game} wire=${wire} game=${game} canPlay=${canPlay} canMake=${canMake} onProblem=${setRefusal} />`)}</ul>
    </section>
    ${ended.length > 0
      ? html`<section aria-labelledby="ended-title">
          <h2 id="ended-title">Ended</h2>
          <ul class="cards">${ended.map(card)}</ul>
        </section>`
      : null}
  </main>`;
}

function Invitation({ wire, canPlay, canMake, games, onProblem }) {
  const demo = games.find(({ game }) => game === DEMO_GAME) ?? games[0];
  return html`<div class="invitation">
    <p>No world runs at the moment.</p>
    ${canMake && demo ? html`<p class="actions"><${BotsButton} wire=${wire} game=${demo} onProblem=${onProblem} first>Start a demo world<//></p>` : null}
    ${canPlay && games.length > 0
      ? html`<p>A world begins with its first player: play by hand, or let an agent join.</p>`
      : html`<p>It begins when an agent joins; this page shows it then.</p>`}
  </div>`;
}
