// The world as one of its players was shown it, how old that was, and how old it was when the player acted.

import { Tree } from "/page/tree.js";
import { duration, html, number, words } from "/page/ui.js";

/** What a player had last been sent at the shown tick. `onAs` changes whose eyes these are. */
export function Inside({ viewing, as, onAs }) {
  const { observation, players } = viewing;
  return html`<section class="inside" aria-labelledby="inside-title">
    <h2 id="inside-title">Through a player's eyes</h2>
    <div class="filters">
      <label><span class="unseen">Whose eyes</span>
        <select value=${as ?? ""} onChange=${(event) => onAs(event.currentTarget.value || undefined)}>
          <option value="">nobody's</option>
          ${players.map((player) => html`<option key=${player.player} value=${player.player}>${player.seat} ${player.name}</option>`)}
        </select>
      </label>
    </div>
    ${as && observation === undefined ? html`<p class="quiet">looking …</p>` : null}
    ${as && observation === null ? html`<p class="quiet">It had been sent nothing by this tick.</p>` : null}
    ${as && observation ? html`<${Seen} observation=${observation} viewing=${viewing} />` : null}
    ${as ? html`<${Acted} viewing=${viewing} player=${as} />` : null}
  </section>`;
}

/** Its latest input by this tick, and on what it was decided. */
function Acted({ viewing, player }) {
  const input = viewing.story.lastInput(player, viewing.tick);
  if (!input) return null;
  const age = input.observedTick == null ? null : input.tick - input.observedTick;
  return html`<p class="quiet">
    Its last input: ${words(input.kind)} at tick ${number(input.tick)},
    ${age === null ? " sent before it was shown anything" : ` decided on tick ${number(input.observedTick)}, ${number(age)} ticks (${duration(age / viewing.tickHz)}) old by then`}.
  </p>`;
}

function Seen({ observation, viewing }) {
  const age = viewing.tick - observation.tick;
  return html`<p class="quiet">
      What it had last been sent: tick ${number(observation.tick)}${age > 0 ? `, ${number(age)} ticks (${duration(age / viewing.tickHz)}) before this one` : ", this very tick"}
    </p>
    ${observation.text ? html`<pre class="seen" tabindex="0" aria-label="What the agent read">${observation.text}</pre>` : null}
    ${observation.data == null ? null : html`<${Tree} value=${observation.data} label="what it saw" />`}`;
}
