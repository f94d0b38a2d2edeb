// Playground: join a world by hand, send its inputs from forms made of what the game declares, see every message both
// ways, and cut the connection to see the session come back.

import { InputForm } from "/page/form.js";
import { Player } from "/page/player.js";
import { worldAddress } from "/page/route.js";
import { Tree } from "/page/tree.js";
import { announce, brief, briefArgs, html, number, Problem, SeatBadge, useChanges, useEffect, useRef, useState, useTitle, words } from "/page/ui.js";

const MESSAGES_MOST = 100;

/** Play `game` by hand, in `world` if one is named. */
export function Playground({ wire, game, world }) {
  const [rules, setRules] = useState(null);
  const [player, setPlayer] = useState(null);
  const [problem, setProblem] = useState(null);
  const seat = useRef(null);
  useTitle(`Play ${rules?.title ?? game}`);

  const join = async () => {
    setProblem(null);
    try {
      const place = world ? { world } : { game };
      const joined = await wire.request("join", { ...place, observe: true });
      seat.current = new Player(wire, joined);
      setPlayer(seat.current);
      announce(`joined world ${joined.world} on seat ${joined.seat}`, { now: true });
    } catch (error) {
      setProblem(error);
    }
  };
  useEffect(() => {
    const mine = () => wire.welcome.players.some((one) => one.game === game && (!world || one.world === world));
    wire.read("rules", { game }).then(
      (reply) => {
        setRules(reply);
        if (mine()) join(); // a page that was loaded again goes on where it was
      },
      setProblem,
    );
    return () => seat.current?.stop();
  }, []);

  return html`<main id="main" class="playground">
    <p><a href="#/">All games and worlds</a></p>
    <h1>Play ${rules?.title ?? game} by hand</h1>
    <${Problem} error=${problem} />
    ${rules && !player
      ? html`<p>
            You become a player like any agent: what you do is in the log of its world.${" "}
            <a href=${`#/game/${game}`}>How it is played</a>
          </p>
          <p class="actions"><button type="button" class="primary" onClick=${join}>Join ${world ?? rules.title}</button></p>`
      : null}
    ${rules && player ? html`<${Seat} wire=${wire} rules=${rules} player=${player} />` : null}
    <${Messages} wire=${wire} />
  </main>`;
}

function Seat({ wire, rules, player }) {
  useChanges((again) => player.on(again), [player]);
  const [note, setNote] = useState("");
  const seen = player.observation;
  const send = (name, args) => {
    player.input(name, args, note);
    setNote("");
  };
  return html`<div class="seat-line" role="group" aria-label="Your player">
      <${SeatBadge} seat=${player.seat} /> <strong>${player.player}</strong> in
      ${wire.has("watch") ? html`<a href=${worldAddress(player.world)}>${player.world}</a>` : html`<code>${player.world}</code>`}
      <span class="quiet">${seen ? `tick ${number(seen.tick)} · score ${number(seen.score)}${seen.your_turn ? " · your turn" : ""}${seen.time_left_ms != null ? ` · ${Math.ceil(seen.time_left_ms / 1000)} s left` : ""}` : ""}</span>
      <span class="room"></span>
      <button type="button" onClick=${() => wire.cut()} title="As a bad network would. The page comes back by itself to the same player.">Cut the connection</button>
      ${player.ended ? null : html`<button type="button" onClick=${() => player.leave()}>Leave</button>`}
    </div>
    ${player.ended ? html`<p class="problem" role="status">The game is over for this player: ${words(player.ended)}. <a href="#/">Home</a></p>` : null}
    <div class="columns">
      <section aria-labelledby="inputs-title">
        <h2 id="inputs-title">Do</h2>
        <div class="field">
          <label for="note">Note <span class="quiet">optional: why you do it; it is logged with the next input</span></label>
          <input id="note" value=${note} onInput=${(event) => setNote(event.currentTarget.value)} autocomplete="off" />
        </div>
        ${(seen?.actions ?? []).length > 0 ? html`<p class="quiet">Accepted now: ${seen.actions.map((action) => action.name).filter((name, at, all) => all.indexOf(name) === at).map(words).join(", ")}</p>` : null}
        ${Object.entries(rules.inputs).map(([name, schema]) => html`<${InputForm} key=${name} name=${name} schema=${schema} busy=${player.sending !== null || player.ended !== null} onSend=${send} />`)}
      </section>
      <section aria-labelledby="seen-title">
        <h2 id="seen-title">See</h2>
        ${seen?.text ? html`<pre class="seen" tabindex="0" aria-label="What an agent reads">${seen.text}</pre>` : null}
        ${seen ? html`<${Tree} value=${seen.data} label="the observation" />` : html`<p class="quiet">looking …</p>`}
      </section>
      <section aria-labelledby="outcomes-title">
        <h2 id="outcomes-title">What came of it</h2>
        <ol class="feed" aria-label="Outcomes, newest first">
          ${player.outcomes.map((outcome) => html`<${OutcomeLine} key=${`${outcome.seq} ${outcome.status}`} outcome=${outcome} />`)}
        </ol>
        <h3>Events</h3>
        <ol class="feed" aria-label="Events, newest first">
          ${player.events.map((event) => html`<li key=${event.n}><span class="tick">${event.tick}</span> <strong>${words(event.kind)}</strong> ${briefArgs(event.data)}</li>`)}
        </ol>
      </section>
    </div>`;
}

function OutcomeLine({ outcome }) {
  const bad = outcome.status === "rejected" || outcome.status === "refused";
  return html`<li class=${outcome.status}>
    <span class="tick">${outcome.tick ?? "…"}</span> <strong>${words(outcome.name)}</strong> ${briefArgs(outcome.args)}${" "}
    <span class=${`mark ${outcome.status}`}>${outcome.status}${outcome.code ? `: ${words(outcome.code)}` : ""}</span>
    ${outcome.again ? html` <span class="quiet">sent again ${outcome.again}×${outcome.duplicate ? ", it had been applied" : ""}</span>` : null}
    ${bad ? html`<p>${outcome.message} ${outcome.hint}</p>` : null}
    ${outcome.note ? html`<p class="note">${outcome.note}</p>` : null}
  </li>`;
}

/** Every message of the connection, newest first. */
function Messages({ wire }) {
  const [messages, setMessages] = useState([]);
  const [looks, setLooks] = useState(false);
  const counted = useRef(0);
  useEffect(() => {
    return wire.on("raw", ({ way, text }) => {
      counted.current += 1;
      const entry = { number: counted.current, way, text, at: new Date().toLocaleTimeString("en-GB"), look: isLook(text) };
      setMessages((list) => [entry, ...list].slice(0, MESSAGES_MOST));
    });
  }, [wire]);
  const shown = messages.filter((message) => looks || !message.look);
  return html`<section aria-labelledby="messages-title">
    <h2 id="messages-title">Messages</h2>
    <label class="check"><input type="checkbox" checked=${looks} onChange=${(event) => setLooks(event.currentTarget.checked)} /> also the looks that this page takes by itself</label>
    <ol class="messages" aria-label="Messages, newest first">
      ${shown.map(
        (message) => html`<li key=${message.number} class=${message.way}>
          <details>
            <summary>
              <span class="way">${message.way === "out" ? "→ sent" : "← received"}</span> <span class="quiet">${message.at}</span>${" "}
              <code>${brief(message.text, 120)}</code>
            </summary>
            <pre tabindex="0">${pretty(message.text)}</pre>
          </details>
        </li>`,
      )}
    </ol>
  </section>`;
}

function isLook(text) {
  return /^\{"type":"(observe|observation|frame)"/.test(text);
}

function pretty(text) {
  return JSON.stringify(JSON.parse(text), hidden, 2);
}

/** Secrets are no part of a picture of the screen. */
function hidden(key, value) {
  return (key === "token" || key === "resume") && typeof value === "string" ? "(hidden)" : value;
}
