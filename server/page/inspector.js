// Looking inside a world: its log, its state, how it runs, and what one can take along. For whoever may read its log: the
// server says who that is, and its answer is all that others see of this.
//
// Each part is a module of its own; here is how one gets to them.

import { Badge, checkOf } from "/page/badge.js";
import { Entries } from "/page/entries.js";
import { ForkButton } from "/page/fork.js";
import { Sparkline, Versions } from "/page/sparkline.js";
import { StateView } from "/page/state_tree.js";
import { Commands, Download } from "/page/takeaway.js";
import { Copy, html, number, Problem, useEffect, useRef, useState } from "/page/ui.js";

const OPEN_KEY = "worldline.inside";
const PARTS = [
  ["entries", "Log"],
  ["state", "State"],
  ["run", "How it runs"],
  ["along", "Take along"],
];

/** Whether the panel is open, on this page and the next ones: [open, setOpen]. */
export function useOpen() {
  const [open, setOpen] = useState(() => sessionStorage.getItem(OPEN_KEY) === "open");
  return [
    open,
    (wanted) => {
      sessionStorage.setItem(OPEN_KEY, wanted ? "open" : "");
      setOpen(wanted);
    },
  ];
}

/** Whether the log may be read: undefined until the server has said so, null: yes, else its refusal. */
function useRefusal(wire, viewing) {
  const [refusal, setRefusal] = useState(undefined);
  const began = viewing.stream !== null;
  useEffect(() => {
    if (!began) return undefined;
    let over = false;
    const ask = () =>
      wire.read("log", { world: viewing.world, limit: 1 }).then(
        () => over || setRefusal(null),
        (error) => over || setRefusal(error),
      );
    ask();
    const stop = wire.on("state", (state) => state === "open" && ask()); // somebody else perhaps
    return () => {
      over = true;
      stop();
    };
  }, [wire, began, viewing.over]);
  return refusal;
}

/** The panel. `wanted`: an input whose entry is to be opened; `onOpened` is called once that is taken care of. `found` is what `useVersions` knows, `times` a TickTimes. */
export function Inspector({ wire, viewing, row, found, times, as, wanted, onOpened, onEyes, onClose }) {
  const [part, setPart] = useState("entries");
  const refusal = useRefusal(wire, viewing);
  const title = useRef(null);
  useEffect(() => {
    if (wanted) setPart("entries");
  }, [wanted]);
  return html`<section class="inspector" aria-labelledby="inspector-title">
    <div class="inspector-head">
      <h2 id="inspector-title" ref=${title} tabindex="-1">Look inside</h2>
      ${refusal === null ? html`<${Badge} row=${row} />` : null}
      <span class="room"></span>
      ${refusal === null ? html`<${ForkButton} wire=${wire} viewing=${viewing} />` : null}
      <button type="button" onClick=${onClose} title="Close (V)" aria-label="Close: look inside">✕</button>
    </div>
    ${refusal === undefined && viewing.stream ? html`<p class="quiet" role="status">asking …</p>` : null}
    ${refusal ? html`<${Refused} error=${refusal} wire=${wire} />` : null}
    ${refusal === null
      ? html`<${Tabs} part=${part} onPart=${setPart} />
          <div role="tabpanel" id="inspector-part" aria-labelledby=${`inspector-${part}`} tabindex="0">
            ${part === "entries" ? html`<${Entries} wire=${wire} viewing=${viewing} wanted=${wanted} onOpened=${onOpened} onEyes=${onEyes} />` : null}
            ${part === "state" ? html`<${StateView} wire=${wire} viewing=${viewing} />` : null}
            ${part === "run" ? html`<${Run} viewing=${viewing} row=${row} found=${found} times=${times} />` : null}
            ${part === "along" ? html`<${Along} wire=${wire} viewing=${viewing} as=${as} />` : null}
          </div>`
      : null}
  </section>`;
}

function Refused({ error, wire }) {
  const early = error.code === "live_world";
  return html`<${Problem} error=${early ? { message: error.message } : error} />
    ${early ? html`<p>While it runs, its log and its state are for developers who have no seat in it, and for its owner if it is not ranked. When it has ended, everybody may look.</p>` : null}
    <p class="quiet">You are ${wire.welcome?.name}, role ${wire.welcome?.role}: the button at the top right takes a token.</p>`;
}

function Tabs({ part, onPart }) {
  const list = useRef(null);
  const pressed = (event) => {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const at = (PARTS.findIndex(([name]) => name === part) + way + PARTS.length) % PARTS.length;
    onPart(PARTS[at][0]);
    list.current.children[at].focus();
  };
  return html`<div role="tablist" class="tabs" aria-label="Look inside" ref=${list} onKeyDown=${pressed}>
    ${PARTS.map(([name, shown]) => html`<button type="button" key=${name} role="tab" id=${`inspector-${name}`} aria-selected=${String(part === name)} aria-controls="inspector-part" tabindex=${part === name ? 0 : -1} onClick=${() => onPart(name)}>${shown}</button>`)}
  </div>`;
}

function Run({ viewing, row, found, times }) {
  const check = checkOf(row);
  return html`<h3>Computed again</h3>
    <p><${Badge} row=${row} /> ${check.why}</p>
    <p class="actions"><code>worldline replay verify ${viewing.world}</code> <${Copy} text=${`worldline replay verify ${viewing.world}`} title="Copy the command that checks all of it">Copy<//></p>
    <h3>How long its ticks take</h3>
    <${Sparkline} samples=${times.samples} tickHz=${viewing.tickHz} live=${viewing.live} versions=${found.versions ?? []} />
    <h3>Its code</h3>
    <${Versions} found=${found} viewing=${viewing} />
    ${found.genesis ? html`<h3>How it began</h3><${Began} genesis=${found.genesis} />` : null}`;
}

function Began({ genesis }) {
  const facts = [
    ["made", new Date(genesis.created_ms).toISOString().replace("T", " ").replace(/\.\d+Z/, " UTC")],
    ["seed", String(genesis.seed)],
    ["clock", genesis.clock],
    ["settings", JSON.stringify(genesis.settings ?? {})],
    ["engine", genesis.engine],
    ["versions", Object.entries(genesis.versions ?? {}).map(([name, version]) => `${name} ${version}`).join(", ")],
    ...(genesis.forked_from ? [["forked from", `${genesis.forked_from[0]} after tick ${number(genesis.forked_from[1])}`]] : []),
  ];
  return html`<dl class="facts">${facts.map(([name, value]) => html`<dt key=${name}>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

function Along({ wire, viewing, as }) {
  const { world, tick } = viewing;
  return html`<h3>The log</h3>
    <${Download} wire=${wire} world=${world} />
    <${Commands} world=${world} tick=${tick} as=${as} />`;
}
