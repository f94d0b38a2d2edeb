// Home: worlds that run, games to play, replays of what has ended, who was best. Looks again by itself.

import { BotsButton, GameCard, WorldCard } from "/page/cards.js";
import { BestOfAll } from "/page/leaders.js";
import { html, isOver, Problem, useLook, useState, useTitle } from "/page/ui.js";

const LOOK_EVERY_MS = 2000;
const WORLDS_MOST = 24;
const REPLAYS_MOST = 6;
const PICTURES_MOST = 4; // a connection may watch eight
const OVER = ["finished", "closed", "faulted"];
const GOING_ON = ["waiting", "running", "paused", "recovering"];
const DEMO_GAME = "tsunami"; // what a demo shows, where it is there

/** The newest worlds, of those that go on and of those that have ended, however many there are of the others. */
async function lookAtWorlds(wire) {
  const newest = await wire.request("worlds", { limit: WORLDS_MOST });
  const live = newest.worlds.filter(({ status }) => !isOver(status));
  const ended = newest.worlds.filter(({ status }) => isOver(status));
  if (newest.next && ended.length < REPLAYS_MOST) ended.push(...(await older(wire, OVER, REPLAYS_MOST, ended)));
  if (newest.next && ended.length > 0) live.push(...(await older(wire, GOING_ON, WORLDS_MOST, live)));
  return { live: live.slice(0, WORLDS_MOST), ended: ended.slice(0, REPLAYS_MOST) };
}

/** The newest worlds of these statuses that are not `known`, newest first. */
async function older(wire, statuses, limit, known) {
  const pages = await Promise.all(statuses.map((status) => wire.request("worlds", { status, limit })));
  const names = new Set(known.map(({ world }) => world));
  const found = pages.flatMap(({ worlds }) => worlds).filter(({ world }) => !names.has(world));
  return found.sort((one, other) => (one.world < other.world ? 1 : -1));
}

/** What there is on this server. */
export function Home({ wire }) {
  useTitle("");
  const [seen, setSeen] = useState({ games: null, live: [], ended: [] });
  const [problem, setProblem] = useState(null);
  const [refusal, setRefusal] = useState(null);
  useLook(
    async (wanted) => {
      try {
        const [{ games }, worlds] = await Promise.all([wire.request("games"), lookAtWorlds(wire)]);
        if (!wanted()) return;
        setSeen({ games, ...worlds });
        setProblem(null);
      } catch (error) {
        if (wanted() && error.code !== "disconnected") setProblem(error);
      }
    },
    LOOK_EVERY_MS,
    [wire],
  );
  const { games, live, ended } = seen;
  const titles = new Map((games ?? []).map((game) => [game.game, game.title]));
  const watching = wire.has("watch");
  const canPlay = wire.welcome !== null && wire.welcome.role !== "spectator";
  const canMake = wire.welcome?.role === "developer";
  const moving = new Set(watching ? live.slice(0, PICTURES_MOST).map(({ world }) => world) : []);
  const card = (world) => html`<${WorldCard} key=${world.world} wire=${wire} moving=${moving.has(world.world)} world=${world} title=${titles.get(world.game) ?? world.game} watching=${watching} />`;
  return html`<main id="main" class="home">
    <h1 class="title">Worlds of agents, live</h1>
    <${Problem} error=${refusal ?? problem} />
    <section aria-labelledby="live-title">
      <h2 id="live-title">Running now</h2>
      ${games === null ? html`<p class="quiet">looking …</p>` : null}
      ${games !== null && live.length === 0 ? html`<${Invitation} wire=${wire} canPlay=${canPlay} canMake=${canMake} games=${games} onProblem=${setRefusal} />` : null}
      <ul class="cards">${live.map(card)}</ul>
    </section>
    ${ended.length > 0
      ? html`<section aria-labelledby="ended-title">
          <h2 id="ended-title">Recent replays</h2>
          <ul class="cards">${ended.map(card)}</ul>
        </section>`
      : null}
    <section aria-labelledby="games-title">
      <h2 id="games-title">Games</h2>
      <ul class="cards">${(games ?? []).map((game) => html`<${GameCard} key=${game.game} wire=${wire} game=${game} canPlay=${canPlay} canMake=${canMake} onProblem=${setRefusal} />`)}</ul>
    </section>
    ${games === null ? null : html`<${BestOfAll} wire=${wire} games=${games} />`}
  </main>`;
}

/** What to do while no world runs. */
function Invitation({ wire, canPlay, canMake, games, onProblem }) {
  const withBots = games.filter((game) => game.has_bot);
  const demo = withBots.find(({ game }) => game === DEMO_GAME) ?? withBots[0];
  return html`<div class="invitation">
    <p>No world runs at the moment.</p>
    ${canMake && demo
      ? html`<p class="actions"><${BotsButton} wire=${wire} game=${demo} onProblem=${onProblem} first>Start a demo world<//></p>
          <p class="quiet">Sample bots play ${demo.title}, and you watch.</p>`
      : null}
    ${canPlay && games.length > 0
      ? html`<p>A world begins with its first player: play by hand, or let an agent join.</p>`
      : html`<p>It begins when an agent joins; this page shows it then.</p>`}
  </div>`;
}
