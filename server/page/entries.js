// What the log says at the shown tick and around it: every entry with what became of it, and one of them whole.

import { Logbook } from "/page/logbook.js";
import { brief, briefArgs, Copy, duration, html, number, Problem, SeatBadge, useEffect, useLayoutEffect, useMemo, useRef, useState, words } from "/page/ui.js";

const SETTLE_MS = 150;
const TRY_AGAIN_MS = 300;
const BEFORE = 14;
const AFTER = 10;
/** Keys of this part, for the help; they work while it is open. */
export const ENTRY_KEYS = [[", and .", "previous and next entry of the log, while they are shown"]];

/**
 * `wanted`: the input to open, {tick, player, seq}, or null; `onOpened()` is called when it is looked for. `onEyes(player)`
 * shows what a player had been sent.
 */
export function Entries({ wire, viewing, wanted, onOpened, onEyes }) {
  const [all, setAll] = useState(false);
  const book = useMemo(() => new Logbook(wire, viewing.world, all), [wire, viewing.world, all]);
  const [picked, setPicked] = useState(null);
  const [problem, setProblem] = useState(null);
  const [, again] = useState(0);
  const keep = useRef(true);
  const sought = useRef(null); // the input that is to be opened, until it is found or something else is wanted
  const at = useRef(null); // the picked line, also before it is drawn
  const turns = useRef(Promise.resolve());
  const guard = async (reading) => {
    try {
      const found = await reading;
      setProblem(null);
      again((count) => count + 1);
      return found;
    } catch (error) {
      if (keep.current) setProblem(error);
      return undefined;
    }
  };
  const pick = (line) => {
    sought.current = null;
    at.current = line;
    setPicked(line);
    if (line.tick !== viewing.tick) viewing.seek(line.tick);
  };
  const step = async (way) => {
    const line = await guard(book.next(at.current?.tick === viewing.tick ? at.current : viewing.tick, way, viewing));
    if (line && keep.current) pick(line);
  };
  const go = (way) => {
    turns.current = turns.current.then(() => step(way)); // each from where the one before it has led
  };
  useEffect(() => () => { keep.current = false; }, []);
  useEffect(() => {
    const timer = setTimeout(() => guard(book.around(viewing.tick, viewing)), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [book, viewing.playing ? Math.floor(viewing.tick / viewing.tickHz) : viewing.tick]);
  useEffect(() => {
    if (!wanted) return;
    sought.current = wanted;
    onOpened();
    guard(found(book, wanted, viewing, () => keep.current && sought.current === wanted)).then((line) => line && pick(line));
  }, [wanted]);
  useEntryKeys(go);
  const isOpen = (line) => line.kind === "input" && line.entry.status == null; // its outcome comes one record later
  useEffect(() => {
    if (!book.lines.some(isOpen)) return undefined;
    const timer = setTimeout(() => guard(book.around(viewing.tick, viewing)), TRY_AGAIN_MS);
    return () => clearTimeout(timer);
  });

  const { lines } = book;
  const list = useRef(null);
  useInSight(list, `${viewing.tick} ${picked?.key} ${lines.length}`);
  const [start, end] = around(lines, viewing.tick, picked);
  // Its outcome may have come since it was picked.
  const current = picked && (book.lines.find(({ key }) => key === picked.key) ?? picked);
  return html`<div class="entries">
    <div class="entries-list">
      <div class="filters">
        <button type="button" onClick=${() => go(-1)} title="Previous entry (,)">‹ entry</button>
        <button type="button" onClick=${() => go(1)} title="Next entry (.)">entry ›</button>
        <label class="check"><input type="checkbox" checked=${all} onChange=${(event) => setAll(event.currentTarget.checked)} /> also what only the engine needs</label>
      </div>
      <${Problem} error=${problem} />
      <ol class="feed" ref=${list} tabindex="0" aria-label="Entries of the log around this tick, oldest first">
        ${lines.slice(start, end).map((line) => html`<${Line} key=${line.key} line=${line} viewing=${viewing} picked=${current?.key === line.key} onPick=${() => pick(line)} />`)}
      </ol>
      ${lines.length === 0 && !problem ? html`<p class="quiet">The log has no entries around this tick.</p>` : null}
    </div>
    ${current ? html`<${Whole} key=${current.key} wire=${wire} viewing=${viewing} line=${current} onEyes=${onEyes} />` : html`<p class="quiet">Choose an entry to see all of it.</p>`}
  </div>`;
}

/** The line of an input, as long as it is wanted; it may be on its way to where logs are read. */
async function found(book, { tick, player, seq }, viewing, isWanted) {
  while (isWanted()) {
    await book.around(tick, viewing);
    const line = book.lines.findLast((one) => one.player === player && one.entry?.seq === seq);
    if (line && isWanted()) return line;
    await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
  }
  return undefined;
}

/** Which lines are shown: those around the tick; the picked one is among them where it is of this tick. */
function around(lines, tick, picked) {
  let at = lines.findIndex((line) => line.tick > tick);
  if (at < 0) at = lines.length;
  const its = picked ? lines.findIndex(({ key }) => key === picked.key) : -1;
  if (its >= 0 && lines[its].tick === tick) at = its + 1;
  return [Math.max(0, at - BEFORE), Math.min(lines.length, at + AFTER)];
}

/** Scrolls a list, and nothing else, so that its picked line is seen, or the latest of this tick. */
function useInSight(list, changes) {
  useEffect(() => {
    const box = list.current;
    const line = box.querySelector("[aria-current]")?.parentElement ?? [...box.querySelectorAll(".now")].at(-1) ?? box.children[Math.min(BEFORE, box.children.length) - 1];
    if (line) box.scrollTop = line.offsetTop - box.offsetTop - (box.clientHeight - line.offsetHeight) / 2;
  }, [changes]);
}

function useEntryKeys(go) {
  const latest = useRef(go);
  latest.current = go;
  useLayoutEffect(() => {
    const pressed = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if ((event.key !== "," && event.key !== ".") || event.target.closest("input, select, textarea, dialog")) return;
      latest.current(event.key === "," ? -1 : 1);
      event.preventDefault();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}

function Who({ viewing, player, entry }) {
  if (!player) return null;
  const known = viewing.players.find((one) => one.player === player);
  const seat = known?.seat ?? entry?.seat;
  return html`<span class="who">${seat ? html`<${SeatBadge} seat=${seat} />` : null}<span class="name">${known?.name ?? entry?.name ?? player}</span></span>`;
}

/** What an entry is, in few words. */
function said({ kind, entry, record }) {
  switch (kind) {
    case "input":
      return [words(entry.name), briefArgs(entry.args)];
    case "leave":
      return ["left", words(entry.reason ?? "")];
    case "code":
    case "engine":
      return [kind, entry.digest.slice(0, 12)];
    case "clock":
      return ["clock", entry.clock];
    case "close":
      return ["the world ended", words(record.reason ?? "")];
    case "checkpoint":
      return ["checkpoint", record.hash?.slice(0, 12) ?? ""];
    default:
      return [words(kind), ""];
  }
}

function Line({ line, viewing, picked, onPick }) {
  const [what, rest] = said(line);
  const status = line.entry?.status;
  return html`<li class=${`${status ?? ""} ${line.tick === viewing.tick ? "now" : ""}`}>
    <button type="button" class="entry" aria-current=${picked ? "true" : undefined} onClick=${onPick}>
      <span class="tick">${number(line.tick)}${line.record.ran === false ? "+" : ""}</span>
      <${Who} viewing=${viewing} player=${line.player} entry=${line.entry} />
      <span><strong>${what}</strong> ${rest}</span>
      ${status && status !== "applied" ? html`<span class=${`mark ${status}`}>${words(status)}${line.entry.code ? `: ${words(line.entry.code)}` : ""}</span>` : null}
    </button>
  </li>`;
}

/** One entry, all of it. */
function Whole({ wire, viewing, line, onEyes }) {
  const { entry, record, tick, kind, player } = line;
  const outcome = useOutcome(wire, viewing, line);
  const raw = JSON.stringify(entry ?? record, null, 2);
  const began = record.time_ms ? new Date(record.time_ms) : null;
  const fields = Object.entries(entry ?? record).filter(([name]) => !["kind", "record", "tick", "note", "status", "code", "args", "name", "player", "received_ms", "observed_tick", "seen_tick"].includes(name));
  return html`<section class="entry-whole" aria-label="The entry">
    <h3>${words(kind)} ${kind === "input" ? words(entry.name) : ""} <span class="quiet">tick ${number(tick)}${record.ran === false ? ", after it ran" : ""}</span></h3>
    <dl class="facts">
      ${player ? html`<dt>Player</dt><dd><${Who} viewing=${viewing} player=${player} entry=${entry} /> <code>${player}</code></dd>` : null}
      ${kind === "input" ? html`<${InputFacts} viewing=${viewing} line=${line} outcome=${outcome} />` : null}
      ${fields.map(([name, value]) => html`<dt key=${name}>${words(name)}</dt><dd>${typeof value === "number" ? number(value) : brief(value, 200)}</dd>`)}
      ${began ? html`<dt>Written</dt><dd>${began.toISOString().replace("T", " ").replace("Z", " UTC")}</dd>` : null}
    </dl>
    ${entry?.note ? html`<p class="note">${entry.note}</p>` : null}
    <p class="actions">
      ${tick === viewing.tick ? null : html`<button type="button" onClick=${() => viewing.seek(tick)}>Go to its tick</button>`}
      ${player ? html`<button type="button" onClick=${() => onEyes(player)}>What it had been shown</button>` : null}
      <${Copy} text=${raw} title="Copy this entry as JSON">Copy JSON<//>
      <${Copy} text=${`worldline log show ${viewing.world} --ticks ${tick}`} title="Copy the command that prints this tick of the log">Copy command<//>
    </p>
    <details><summary>As the log has it</summary><pre class="seen" tabindex="0" aria-label="The entry as JSON">${raw}</pre></details>
  </section>`;
}

function InputFacts({ viewing, line, outcome }) {
  const { entry, record, tick } = line;
  const status = entry.status ?? outcome?.status;
  const wait = record.time_ms && entry.received_ms ? record.time_ms - entry.received_ms : null;
  const ago = (then) => {
    const ticks = tick - then;
    return `tick ${number(then)}: ${number(ticks)} ticks, ${duration(ticks / viewing.tickHz)} old when it acted`;
  };
  return html`<dt>Asked</dt><dd><strong>${words(entry.name)}</strong> ${briefArgs(entry.args)}</dd>
    <dt>Outcome</dt>
    <dd>
      <span class=${`mark ${status ?? ""}`}>${status ? words(status) : "not known yet"}</span>
      ${entry.code ?? outcome?.code ? html` <code>${entry.code ?? outcome.code}</code>` : null}
      ${outcome?.message ? html` ${outcome.message}` : null}
    </dd>
    ${outcome?.result != null ? html`<dt>Answer</dt><dd>${brief(outcome.result, 400)}</dd>` : null}
    <dt>Had been shown</dt><dd>${entry.observed_tick == null ? "nothing" : ago(entry.observed_tick)}</dd>
    ${entry.seen_tick == null || entry.seen_tick === entry.observed_tick ? null : html`<dt>Says it decided on</dt><dd>${ago(entry.seen_tick)}</dd>`}
    ${wait === null ? null : html`<dt>Waited</dt><dd>${number(Math.max(0, wait))} ms for its tick</dd>`}`;
}

/** What the game answered to an input: the log keeps its code only, the world's state the words. */
function useOutcome(wire, viewing, { kind, entry, tick, player }) {
  const [outcome, setOutcome] = useState(null);
  useEffect(() => {
    if (kind !== "input" || entry.status === "undone" || entry.status === "world_faulted") return;
    wire.read("state", { world: viewing.world, tick, path: `players.${player}.outcomes.${entry.seq}` }).then(
      ({ state }) => setOutcome(state),
      () => setOutcome(null), // it is not kept for ever; the code in the log stays
    );
  }, [entry?.status]);
  return outcome;
}
