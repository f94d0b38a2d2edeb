// How the whole world stood after a tick, as a tree, and what is different from another tick.
//
// States are computed by the server when they are asked for: at once where the view stands still, by a button while it
// moves. Not here: the tree itself (tree.js), and comparing (values.js).

import { Copy, html, number, Problem, useEffect, useMemo, useRef, useState } from "/page/ui.js";
import { LeafList, Tree } from "/page/tree.js";
import { changesBelow, differences } from "/page/values.js";

const SETTLE_MS = 200; // so long a tick has to be shown before its state is asked for
const KEPT = 6;
const COMPARED = [
  ["", "nothing"],
  ["1", "the tick before"],
  ["10", "10 ticks before"],
  ["at", "tick …"],
];

/** Asks for states, each once while it is among the last few: `at(tick, path)` is the reply of `state`. */
class States {
  constructor(wire, world) {
    Object.assign(this, { wire, world });
    this._kept = new Map();
  }

  at(tick, path) {
    const key = `${tick} ${path}`;
    const asked = this._kept.get(key) ?? this.wire.read("state", { world: this.world, tick, path: path || undefined });
    this._kept.delete(key);
    this._kept.set(key, asked);
    asked.catch(() => this._kept.delete(key));
    for (const old of [...this._kept.keys()].slice(0, -KEPT)) this._kept.delete(old);
    return asked;
  }
}

/** The tick that a state is compared with, or null: `compared` is one of COMPARED, `typed` a tick. */
function otherTick(tick, firstTick, compared, typed) {
  if (compared === "at") return /^\d+$/.test(typed) ? Number(typed) : null;
  return compared ? Math.max(firstTick, tick - Number(compared)) : null;
}

/** The state at the shown tick. */
export function StateView({ wire, viewing }) {
  const [states] = useState(() => new States(wire, viewing.world));
  const [path, setPath] = useState("");
  const [compared, setCompared] = useState("");
  const [typed, setTyped] = useState("");
  const [shown, setShown] = useState(null); // {tick, path, state, hash, other?: {tick, state}}
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const latest = useRef(0);
  const asked = useRef(viewing.tick); // the tick that is shown, or on its way

  const load = async (tick) => {
    const turn = (latest.current += 1);
    asked.current = tick;
    const other = otherTick(tick, viewing.firstTick, compared, typed);
    setBusy(true);
    try {
      const [now, then] = await Promise.all([states.at(tick, path), other === null ? null : states.at(other, path)]);
      if (turn !== latest.current) return;
      setShown({ tick: now.tick, path, state: now.state, hash: now.hash, other: then && { tick: then.tick, state: then.state } });
      setProblem(null);
    } catch (error) {
      if (turn === latest.current) setProblem(error);
    }
    if (turn === latest.current) setBusy(false);
  };
  useEffect(() => {
    load(viewing.tick); // also of a world that never stands still
  }, []);
  useEffect(() => {
    const timer = setTimeout(() => asked.current !== viewing.tick && load(viewing.tick), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [viewing.tick]);
  useEffect(() => {
    if (latest.current === 0) return undefined;
    const timer = setTimeout(() => load(asked.current), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [compared, typed, path]);

  return html`<div class="state-view">
    <div class="filters">
      <label>Compare with${" "}
        <select value=${compared} onChange=${(event) => setCompared(event.currentTarget.value)}>
          ${COMPARED.map(([key, name]) => html`<option key=${key} value=${key}>${name}</option>`)}
        </select>
      </label>
      ${compared === "at"
        ? html`<label><span class="unseen">Tick to compare with</span>
            <input inputmode="numeric" pattern="[0-9]*" size="8" placeholder="tick" value=${typed} onInput=${(event) => setTyped(event.currentTarget.value)} />
          </label>`
        : null}
      <label>Only what stands at${" "}
        <input class="path" size="18" placeholder="state.…" value=${path} onChange=${(event) => setPath(event.currentTarget.value.trim())} autocomplete="off" spellcheck="false" />
      </label>
      <button type="button" disabled=${busy || shown?.tick === viewing.tick} onClick=${() => load(viewing.tick)}>Take it at tick ${number(viewing.tick)}</button>
    </div>
    <${Problem} error=${problem} />
    ${problem?.code === "too_large" || problem?.path === "path" ? html`<${Further} valid=${problem.valid} path=${path} onPath=${setPath} />` : null}
    ${shown ? html`<${Shown} shown=${shown} world=${viewing.world} busy=${busy} />` : problem ? null : html`<p class="quiet" role="status">It is being computed …</p>`}
  </div>`;
}

/** Where one can go on from a path that was too much, or was not there. */
function Further({ valid, path, onPath }) {
  if (!valid?.length) return null;
  const join = (name) => (name.startsWith("[") || !path ? `${path}${name}` : `${path}.${name}`);
  return html`<p class="actions">
    ${path ? html`<button type="button" onClick=${() => onPath("")}>all of it</button>` : null}
    ${valid.map((name) => html`<button type="button" key=${name} onClick=${() => onPath(join(name))}>${name}</button>`)}
  </p>`;
}

function Shown({ shown, world, busy }) {
  const [only, setOnly] = useState(false);
  const { tick, path, state, other } = shown;
  const changes = useMemo(() => (other ? differences(other.state, state, path) : []), [shown]);
  const marked = useMemo(() => marks(changes), [changes]);
  const list = useMemo(() => changes.map(({ path: at, before, after }) => ({ path: at, value: after, before, changed: true })), [changes]);
  const place = `${world}@${tick}`;
  const more = (at) => html`<${Copy} text=${`worldline replay state ${place} --path '${at}'`} title="Copy the command that prints this">Copy command<//>
    <${Copy} text=${`worldline replay why ${place} '${at}'`} title="Copy the command that says which entries or ticks have changed this last">Copy “why”<//>`;
  return html`<p class="quiet" role="status">
      After tick <strong>${number(tick)}</strong>${path ? html`, at <code>${path}</code>` : null}${shown.hash ? html` · hash <code>${shown.hash}</code>` : null}
      ${other ? html` · ${changes.length === 0 ? "nothing is different from" : `${number(changes.length)} different from`} tick ${number(other.tick)}` : null}
      ${busy ? " · computing …" : ""}
    </p>
    ${other && changes.length > 0
      ? html`<label class="check"><input type="checkbox" checked=${only} onChange=${(event) => setOnly(event.currentTarget.checked)} /> only what is different</label>
          ${only ? html`<p class="actions"><${Copy} text=${`worldline replay diff ${world}@${other.tick} @${tick}`} title="Copy the command that prints this difference">Copy command<//></p>` : null}`
      : null}
    ${other && only && changes.length > 0
      ? html`<${LeafList} list=${list} label=${`what is different from tick ${other.tick}`} more=${more} />`
      : html`<${Tree} value=${state} root=${path} label="the state" changes=${marked} more=${more} />`}`;
}

/** By path how it is marked in the tree. */
function marks(changes) {
  const marked = new Map();
  for (const [path, below] of changesBelow(changes)) marked.set(path, { below });
  for (const { path, before } of changes) marked.set(path, { isLeaf: true, before });
  return marked;
}
