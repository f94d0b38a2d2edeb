// A world of one's own: made from any tick of another with one button, and then run by hand.

import { readRoute, worldAddress } from "/page/route.js";
import { announce, html, number, Problem, useState } from "/page/ui.js";

const STEPS = [1, 10, 60, 600];
const CUTS_MOST = 3;

/** Makes a world that begins where this one stood at the shown tick, and goes there. */
export function ForkButton({ wire, viewing }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const { tick, world } = viewing;
  const fork = async () => {
    setBusy(true);
    setProblem(null);
    try {
      const made = await forked(wire, world, tick);
      announce(`forked world ${world} at tick ${tick}`, { now: true });
      if (readRoute(location.hash).world === world) location.hash = worldAddress(made.world); // else somebody has gone elsewhere
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };
  return html`<button type="button" disabled=${busy} title=${`A world of your own that begins where this one stood after tick ${number(tick)}`} onClick=${fork}>Fork from here</button>
    <${Problem} error=${problem} />`;
}

/** Asks for a fork, again after a cut: by its key it is one fork. */
async function forked(wire, world, tick) {
  const key = `page-${Math.random().toString(36).slice(2)}`;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await wire.request("fork", { world, tick, key });
    } catch (error) {
      if (error.code !== "disconnected" || attempt >= CUTS_MOST) throw error;
    }
  }
}

/** What the owner of a world that stands still can do with it; nothing for anybody else. */
export function OwnWorld({ wire, viewing, row, genesis }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  if (!row || row.clock !== "manual" || row.owner !== wire.welcome?.agent || viewing.over) return null;
  const ask = async (type, fields) => {
    setBusy(true);
    setProblem(null);
    try {
      await wire.request(type, { world: row.world, ...fields });
      if (!viewing.live) await viewing.control("live");
    } catch (error) {
      setProblem(error);
    }
    setBusy(false);
  };
  const [parent, parentTick] = genesis?.forked_from ?? [];
  return html`<section class="own" aria-labelledby="own-title">
    <h2 id="own-title">Your world</h2>
    <p>
      ${parent ? html`It begins where <a href=${worldAddress(parent, parentTick)}>${parent} stood after tick ${number(parentTick)}</a>. ` : null}
      It stands still until you run it${row.players.length > 0 ? "; its players wait for somebody who takes them over" : ""}.
    </p>
    <p class="actions">
      ${STEPS.map((ticks) => html`<button type="button" key=${ticks} disabled=${busy} onClick=${() => ask("step", { ticks })}>Run ${ticks} ${ticks === 1 ? "tick" : "ticks"}</button>`)}
      <button type="button" disabled=${busy} title="From now on by the clock of its game" onClick=${() => ask("play")}>Let it run</button>
      <a class="button" href=${`#/play/${encodeURIComponent(row.game)}?world=${encodeURIComponent(row.world)}`}>Play in it by hand</a>
      <button type="button" disabled=${busy} title="For good; its log stays" onClick=${() => ask("stop")}>End it</button>
    </p>
    <${Problem} error=${problem} />
  </section>`;
}
