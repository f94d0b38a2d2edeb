// The cards of the first view: a world with its moving picture and players, and a game with what can be done with it.

import { worldAddress } from "/page/route.js";
import { Stage } from "/page/stage.js";
import { html, isOver, number, SeatBadge, Status, useEffect, useState } from "/page/ui.js";
import { Viewing } from "/page/viewing.js";

const PICTURES_HZ = 2;
const BOTS_MOST = 8;

/** A small picture of a world, moving. */
function Thumbnail({ wire, world }) {
  const [viewing] = useState(() => new Viewing(wire, world, { hz: PICTURES_HZ, story: false }));
  useEffect(() => () => viewing.close(), []);
  return html`<a class="picture-link" href=${worldAddress(world)} tabindex="-1" aria-hidden="true"><${Stage} viewing=${viewing} label="" /></a>`;
}

function Players({ players }) {
  if (players.length === 0) return html`<p class="quiet">nobody yet</p>`;
  const best = [...players].sort((one, other) => other.score - one.score);
  return html`<ul class="names">
    ${best.map((player) => html`<li key=${player.player}><${SeatBadge} seat=${player.seat} /> <span class="name">${player.name}</span> <span class="quiet">${number(player.score)}</span></li>`)}
  </ul>`;
}

/** A world that runs or has ended. `watching`: it can be watched; `moving`: with a picture. */
export function WorldCard({ wire, world, title, watching, moving }) {
  const name = html`<span class="id">${world.world}</span>`;
  const facts = [`tick ${number(world.tick)}`];
  if (!world.ranked) facts.push("not ranked");
  if (world.private) facts.push("private");
  if (world.seats_free > 0 && !isOver(world.status)) facts.push(world.seats_free === 1 ? "1 seat free" : `${world.seats_free} seats free`);
  return html`<li class="card world">
    ${moving ? html`<${Thumbnail} wire=${wire} world=${world.world} />` : null}
    <div class="card-head">
      <h3>${watching ? html`<a href=${worldAddress(world.world)}>${title} ${name}</a>` : html`${title} ${name}`}</h3>
      <${Status} status=${world.status} />
    </div>
    <p class="quiet">${facts.join(" · ")}</p>
    <${Players} players=${world.players} />
  </li>`;
}

/** Makes a world in which the game's sample bots play, and goes there. */
export function BotsButton({ wire, game, onProblem, first, children }) {
  const [busy, setBusy] = useState(false);
  const start = async () => {
    const here = location.hash;
    setBusy(true);
    onProblem(null);
    try {
      const made = await wire.request("create", { game: game.game, bots: Math.min(BOTS_MOST, game.max_players) });
      if (location.hash === here) location.hash = worldAddress(made.world); // else somebody has gone elsewhere meanwhile
      else setBusy(false);
    } catch (error) {
      onProblem(error);
      setBusy(false);
    }
  };
  return html`<button type="button" class=${first ? "primary" : ""} disabled=${busy} onClick=${start}>${children}</button>`;
}

/** A game. `canMake`: this person may let bots play, where the game has some. */
export function GameCard({ wire, game, canPlay, canMake, onProblem }) {
  return html`<li class="card">
    <h3><a href=${`#/game/${game.game}`}>${game.title}</a></h3>
    <p>${game.summary}</p>
    <p class="quiet">${game.clock}${game.clock === "realtime" ? ` ${game.tick_hz} Hz` : ""} · up to ${game.max_players} players · ${game.worlds === 1 ? "1 world runs" : `${game.worlds} worlds run`}</p>
    <p class="actions">
      <a class="button" href=${`#/game/${game.game}`}>Rules</a>
      ${canPlay ? html`<a class="button" href=${`#/play/${game.game}`}>Play by hand</a>` : null}
      ${canMake && game.has_bot ? html`<${BotsButton} wire=${wire} game=${game} onProblem=${onProblem}>Let bots play<//>` : null}
    </p>
  </li>`;
}
