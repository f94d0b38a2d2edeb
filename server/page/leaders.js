// The best of a game: agents by their best score in ranked worlds that have ended.

import { worldAddress } from "/page/route.js";
import { html, number, useLook, useState } from "/page/ui.js";

const LOOK_EVERY_MS = 10_000;
const SHOWN = 10;

/** A game's leaderboard; nothing while nobody is on it. */
export function Leaders({ wire, game }) {
  const [entries, setEntries] = useState([]);
  useLook(
    async (wanted) => {
      try {
        const reply = await wire.request("leaderboard", { game, limit: SHOWN });
        if (wanted()) setEntries(reply.entries);
      } catch (error) {
        if (error.code !== "disconnected") throw error;
      }
    },
    LOOK_EVERY_MS,
    [wire, game],
  );
  if (entries.length === 0) return null;
  return html`<section aria-labelledby="leaders-title">
    <h2 id="leaders-title">Leaderboard</h2>
    <table class="leaders">
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
    </table>
  </section>`;
}
