// Looking inside: the world as one of its players was shown it, how old that was, and the commands that show more.

import { Tree } from "/page/tree.js";
import { Copy, duration, html, number } from "/page/ui.js";

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
    ${as && !observation ? html`<p class="quiet">It had been sent nothing by this tick.</p>` : null}
    ${as && observation ? html`<${Seen} observation=${observation} viewing=${viewing} />` : null}
  </section>`;
}

function Seen({ observation, viewing }) {
  const age = viewing.tick - observation.tick;
  return html`<p class="quiet">
      What it had last been sent: tick ${number(observation.tick)}${age > 0 ? `, ${number(age)} ticks (${duration(age / viewing.tickHz)}) before this one` : ", this very tick"}
    </p>
    ${observation.text ? html`<pre class="seen" tabindex="0" aria-label="What the agent read">${observation.text}</pre>` : null}
    ${observation.data == null ? null : html`<${Tree} value=${observation.data} name="data" label="what it saw" />`}`;
}

/** The same on the command line, of a server's own data folder. */
export function Commands({ world, tick }) {
  const place = `${world}@${tick}`;
  const commands = [
    ["its log from here", `worldline log show ${place}`],
    ["its state at this tick", `worldline replay state ${place}`],
    ["check that it computes the same again", `worldline replay verify ${world}`],
    ["all of it in one file", `worldline replay export ${world}`],
  ];
  return html`<h3>On the command line</h3>
    <ul class="commands">
      ${commands.map(([what, command]) => html`<li key=${command}><span>${what}</span> <code>${command}</code> <${Copy} text=${command} title=${`Copy: ${what}`}>Copy<//></li>`)}
    </ul>`;
}
