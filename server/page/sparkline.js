// How long ticks take, as this page has heard of them, and where the code of the world changed.
//
// Not here: ticks that nobody watched. The log does not keep how long a tick took.

import { Copy, html, number, Problem, useEffect, useState } from "/page/ui.js";

const KEPT = 600; // frames: a minute of them
const WIDTH = 600;
const HEIGHT = 60;
const GAP_TICKS = 30;

/** Listens to a viewing from now on: `samples` are {tick, ms}, oldest first. */
export class TickTimes {
  constructor(viewing) {
    this.samples = [];
    this._stop = viewing.on("frame", (frame) => {
      if (typeof frame.tick_ms !== "number") return;
      const last = this.samples.at(-1);
      if (last && frame.tick <= last.tick) return; // the same frame again, or a world that went back
      this.samples.push({ tick: frame.tick, ms: frame.tick_ms });
      if (this.samples.length > KEPT) this.samples.shift();
    });
  }

  close() {
    this._stop();
  }
}

/** Milliseconds as people read them. */
function ms(value) {
  return `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`;
}

/** The figures of some samples. */
export function figures(samples) {
  const sorted = samples.map((sample) => sample.ms).sort((one, other) => one - other);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return { last: samples.at(-1).ms, half: at(0.5), p99: at(0.99), most: sorted.at(-1) };
}

/** Cuts samples where nothing was heard for a while. */
function unbroken(samples, tickHz) {
  const parts = [];
  samples.forEach((sample, at) => {
    if (at === 0 || sample.tick - samples[at - 1].tick > Math.max(GAP_TICKS, tickHz)) parts.push([]);
    parts.at(-1).push(sample);
  });
  return parts;
}

export function Sparkline({ samples, tickHz, live, versions }) {
  if (samples.length < 2) {
    return html`<p class="quiet">${live ? "No tick has been heard of yet." : "Of what has been nobody knows how long its ticks took: the log does not keep it. Go live to see how long they take now."}</p>`;
  }
  const { last, half, p99, most } = figures(samples);
  const budget = 1000 / tickHz;
  const top = Math.max(most, 0.01) * 1.1;
  const [from, to] = [samples[0].tick, samples.at(-1).tick];
  const x = (tick) => ((tick - from) / Math.max(1, to - from)) * WIDTH;
  const y = (value) => HEIGHT - (value / top) * HEIGHT;
  const lines = unbroken(samples, tickHz).map((part) => part.map((sample) => `${x(sample.tick).toFixed(1)},${y(sample.ms).toFixed(1)}`).join(" "));
  const said = `Tick times from tick ${number(from)} to ${number(to)}: latest ${ms(last)}, half below ${ms(half)}, 99 of 100 below ${ms(p99)}, longest ${ms(most)}; a tick may take ${ms(budget)}.`;
  return html`<figure class="sparkline">
    <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label=${said}>
      ${budget <= top ? html`<line class="budget" x1="0" x2=${WIDTH} y1=${y(budget)} y2=${y(budget)} />` : null}
      ${versions.filter(({ tick }) => tick > from && tick <= to).map(({ tick }) => html`<line class="code" key=${tick} x1=${x(tick)} x2=${x(tick)} y1="0" y2=${HEIGHT} />`)}
      ${lines.map((points, at) => html`<polyline key=${at} points=${points} />`)}
    </svg>
    <figcaption>
      <span>tick ${number(from)} – ${number(to)}</span>
      <span>latest <strong>${ms(last)}</strong></span> <span>half below ${ms(half)}</span> <span>99 % below ${ms(p99)}</span>
      <span>longest ${ms(most)}</span> <span class="quiet">of ${ms(budget)} that a tick has</span>
    </figcaption>
  </figure>`;
}

/**
 * Which code a world has run on, from its log: versions are {tick, kind: "code" | "engine", digest}, null until they are
 * known. Read again when the world has another `digest`.
 */
export function useVersions(wire, world, digest, wanted) {
  const [found, setFound] = useState({ versions: null, genesis: null, error: null });
  useEffect(() => {
    if (!wanted) return undefined;
    let over = false;
    read(wire, world).then(
      (what) => over || setFound({ ...what, error: null }),
      (error) => over || setFound((old) => ({ ...old, error })),
    );
    return () => {
      over = true;
    };
  }, [wire, world, digest, wanted]);
  return found;
}

/** Marks on a viewing's time where its world went on with other code or another engine, as its log says. */
export function useCodeMarks(viewing, versions) {
  useEffect(() => {
    const marks = (versions ?? []).slice(1).map(({ tick, kind, digest }) => ({ tick, kind, text: `goes on with other ${kind} ${digest.slice(0, 12)}` }));
    if (marks.length === 0) return;
    const isOther = (mark) => !marks.some(({ tick, kind }) => tick === mark.tick && kind === mark.kind);
    viewing.mark([...viewing.marks.filter(isOther), ...marks].sort((one, other) => one.tick - other.tick));
  }, [versions, viewing.stream]);
}

async function read(wire, world) {
  const records = [];
  const kinds = ["genesis", "origin", "code", "engine"];
  for await (const page of wire.logPages({ world, kinds, limit: 1000 })) records.push(...page.records);
  const genesis = records.find(({ record }) => record === "genesis") ?? null;
  const origin = records.find(({ record }) => record === "origin");
  const versions = genesis ? [{ tick: origin?.tick ?? 0, kind: "code", digest: origin?.code ?? genesis.digest }] : [];
  for (const { tick, entries } of records) {
    for (const { kind, digest } of entries ?? []) versions.push({ tick, kind, digest });
  }
  return { versions, genesis };
}

/** The versions as a list; a tick of it is one click away. */
export function Versions({ found, viewing }) {
  const { versions, error } = found;
  if (!versions) return error ? html`<${Problem} error=${error} />` : html`<p class="quiet">looking …</p>`;
  return html`<ul class="versions">
    ${versions.map(
      ({ tick, kind, digest }, at) => html`<li key=${`${tick} ${digest} ${at}`}>
        <button type="button" class="tick" title="Go to this tick" onClick=${() => viewing.seek(tick)}>${number(tick)}</button>
        <span>${at === 0 ? "begins with" : kind === "code" ? "goes on with other code" : "goes on with another engine"}</span> <code>${digest}</code>
        <${Copy} text=${digest} title="Copy the digest">Copy<//>
      </li>`,
    )}
  </ul>`;
}
