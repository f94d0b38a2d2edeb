// What one can take along: the log as a file, and the commands that do the same as this view.

import { Copy, html, number, Problem, useEffect, useRef, useState } from "/page/ui.js";

const NEXT = /<([^>]+)>;\s*rel="next"/;

/** The whole log, page by page: a Blob. `told(bytes)` hears how much there is. Raises {message, hint} as the server does. */
async function wholeLog(wire, world, told, signal) {
  const parts = [];
  let size = 0;
  for (let address = `/worlds/${encodeURIComponent(world)}/log.jsonl`; address; ) {
    const answer = await fetch(address, { headers: wire.token ? { Authorization: `Bearer ${wire.token}` } : {}, signal });
    if (answer.status === 429 || answer.status === 503) {
      await new Promise((resolve) => setTimeout(resolve, 1000 * Number(answer.headers.get("Retry-After") ?? 1)));
      signal.throwIfAborted();
      continue;
    }
    if (!answer.ok) throw await refusalOf(answer);
    const part = await answer.blob();
    parts.push(part);
    size += part.size;
    told(size);
    address = NEXT.exec(answer.headers.get("Link") ?? "")?.[1];
  }
  return new Blob(parts, { type: "application/jsonl" });
}

async function refusalOf(answer) {
  const text = await answer.text();
  try {
    return JSON.parse(text);
  } catch {
    return { message: text.trim() || `the server answered ${answer.status}` };
  }
}

/** Has the browser save a file. */
function save(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  Object.assign(link, { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

export function Download({ wire, world }) {
  const [size, setSize] = useState(null);
  const [done, setDone] = useState(null);
  const [problem, setProblem] = useState(null);
  const stop = useRef(null);
  useEffect(() => () => stop.current?.abort(), []);
  const load = async () => {
    stop.current = new AbortController();
    setSize(0);
    setDone(null);
    setProblem(null);
    try {
      const blob = await wholeLog(wire, world, setSize, stop.current.signal);
      save(blob, `${world}.jsonl`);
      setDone(blob.size);
    } catch (error) {
      if (error.name !== "AbortError") setProblem(error);
    }
    setSize(null);
  };
  return html`<p class="actions">
      <button type="button" class="primary" disabled=${size !== null} onClick=${load}>Download the log</button>
      ${size === null ? null : html`<button type="button" onClick=${() => stop.current.abort()}>Stop</button>`}
      <span class="quiet" role="status">${size !== null ? `${kib(size)} so far` : done !== null ? `${world}.jsonl, ${kib(done)}` : "one record a line, as JSON"}</span>
    </p>
    <${Problem} error=${problem} />`;
}

function kib(bytes) {
  return `${number(Math.ceil(bytes / 1024))} KiB`;
}

/** The same on the command line: of a server, else of its data folder. */
export function Commands({ world, tick, as }) {
  const place = `${world}@${tick}`;
  const commands = [
    ["the same view, of a server that runs", `worldline watch ${place}${as ? ` --as ${as}` : ""} --url ${location.origin.replace(/^http/, "ws")}/ws`],
    ["its log from here", `worldline log show ${place}`],
    ["its state at this tick", `worldline replay state ${place}`],
    ...(as ? [["what this player could know then", `worldline replay state ${place} --as ${as}`]] : []),
    ["what the tick changed", `worldline replay diff ${world}@${Math.max(0, tick - 1)} @${tick}`],
    ["check that it computes the same again", `worldline replay verify ${world}`],
    ["all of it in one file", `worldline replay export ${world}`],
    ["a world of your own from here, while no server runs", `worldline fork ${place}`],
  ];
  return html`<h3>On the command line</h3>
    <ul class="commands">
      ${commands.map(([what, command]) => html`<li key=${command}><span>${what}</span> <code>${command}</code> <${Copy} text=${command} title=${`Copy: ${what}`}>Copy<//></li>`)}
    </ul>`;
}
