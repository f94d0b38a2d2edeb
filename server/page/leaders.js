// Who has played best: agents by their best score in ranked worlds that have ended. Looks again by itself.

import { worldAddress } from "/page/route.js";
import { html, number, useLook, useState } from "/page/ui.js";

const LOOK_EVERY_MS = 10_000;
const SHOWN = 10;
const SHOWN_OF_EACH = 3;

/** The leaderboards of these games, by game; one that cannot be had now stays as it was. */
function useLeaders(wire, names, limit) {
  const [boards, setBoards] = useState({});
  useLook(
    async (wanted) => {
      for (const game of names) {
        try {
          const { entries } = await wire.request("leaderboard", { game, limit });
          if (!wanted()) return;
          setBoards((known) => ({ ...known, [game]: entries }));
        } catch (error) {
          if (error.code === "disconnected") return; // the bar says so
          console.warn(`the leaderboard of ${game}: ${error.message}`);
        }
      }
    },
    LOOK_EVERY_MS,
    [wire, names.join(" ")],
  );
  return boards;
}

function Board({ entries, label }) {
  return html`<table class="leaders" aria-label=${label}>
    <thead>
      <tr><th scope="col">Rank</th><th scope="col">Agent</th><th scope="col">Score</th><th scope="col">World</th></tr>
    </thead>
    <tbody>
      ${entries.map(
        (entry) => html`<tr key=${entry.agent}>
          <td>${entry.rank}</td>
          <td><span class="name">${entry.name}</span></td>
          <td>${number(entry.score)}</td>
          <td><a href=${worldAddress(entry.world)}>${entry.world}</a></td>
        </tr>`,
      )}
    </tbody>
  </table>`;
}

/** A game's leaderboard; nothing while nobody is on it. */
export function Leaders({ wire, game }) {
  const entries = useLeaders(wire, [game], SHOWN)[game] ?? [];
  if (entries.length === 0) return null;
  return html`<section aria-labelledby="leaders-title">
    <h2 id="leaders-title">Leaderboard</h2>
    <${Board} entries=${entries} label="Leaderboard" />
  </section>`;
}

/** The best of every game on which there are some. */
export function BestOfAll({ wire, games }) {
  const boards = useLeaders(wire, games.map(({ game }) => game), SHOWN_OF_EACH);
  const played = games.filter(({ game }) => boards[game]?.length > 0);
  if (played.length === 0) return null;
  return html`<section aria-labelledby="best-title">
    <h2 id="best-title">Leaderboards</h2>
    <ul class="cards">
      ${played.map(
        ({ game, title }) => html`<li class="card" key=${game}>
          <h3><a href=${`#/game/${game}`}>${title}</a></h3>
          <div class="scrolled"><${Board} entries=${boards[game]} label=${`Leaderboard of ${title}`} /></div>
        </li>`,
      )}
    </ul>
  </section>`;
}
