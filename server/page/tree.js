// Any JSON value as a tree that opens and closes, with a search: for observations, states and messages.

import { html, useState } from "/page/ui.js";

const OPEN_DEPTH = 1;
const CHILDREN_MOST = 200;

/** Whether a path or a plain value has the word. */
export function found(path, value, word) {
  return path.toLowerCase().includes(word) || (!isBranch(value) && String(value).toLowerCase().includes(word));
}

function isBranch(value) {
  return typeof value === "object" && value !== null;
}

/** How a value is different in `other`: paths that were added, removed or changed, in order of paths. */
export function difference(before, after, path = "") {
  if (isBranch(before) && isBranch(after) && Array.isArray(before) === Array.isArray(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => difference(before[key], after[key], path ? `${path}.${key}` : key));
  }
  if (Object.is(before, after)) return [];
  if (!isBranch(before) && !isBranch(after)) return [{ path, before, after }];
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, before, after }];
}

/** The leaves under a value in which a word is found: [path, value]. */
function hits(value, word, path = "", list = []) {
  if (isBranch(value)) {
    for (const [key, child] of Object.entries(value)) hits(child, word, path ? `${path}.${key}` : key, list);
  } else if (found(path, value, word)) {
    list.push([path, value]);
  }
  return list;
}

function Leaf({ value }) {
  const kind = value === null ? "null" : typeof value;
  return html`<span class=${`leaf ${kind}`}>${kind === "string" ? JSON.stringify(value) : String(value)}</span>`;
}

function Branch({ name, value, depth }) {
  const [open, setOpen] = useState(depth < OPEN_DEPTH);
  const entries = Object.entries(value);
  const size = Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`;
  return html`<details open=${open} onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary><span class="key">${name}</span> <span class="size">${size}</span></summary>
    ${open
      ? html`<ul>
          ${entries.slice(0, CHILDREN_MOST).map(([key, child]) => html`<li key=${key}><${Node} name=${key} value=${child} depth=${depth + 1} /></li>`)}
          ${entries.length > CHILDREN_MOST ? html`<li class="quiet">and ${entries.length - CHILDREN_MOST} more: search for them</li>` : null}
        </ul>`
      : null}
  </details>`;
}

function Node({ name, value, depth }) {
  if (isBranch(value) && Object.keys(value).length > 0) return html`<${Branch} name=${name} value=${value} depth=${depth} />`;
  return html`<span class="key">${name}</span> ${isBranch(value) ? html`<span class="size">${Array.isArray(value) ? "[]" : "{}"}</span>` : html`<${Leaf} value=${value} />`}`;
}

/** The tree of a value, with a field that searches paths and values. */
export function Tree({ value, name, label }) {
  const [word, setWord] = useState("");
  const wanted = word.trim().toLowerCase();
  const matches = wanted ? hits(value, wanted) : [];
  return html`<div class="tree">
    <label class="search">
      <span>Search ${label}</span>
      <input type="search" value=${word} onInput=${(event) => setWord(event.currentTarget.value)} />
    </label>
    ${wanted
      ? html`<p class="quiet" role="status">${matches.length} found</p>
          <ul>
            ${matches.slice(0, CHILDREN_MOST).map(([path, leaf]) => html`<li key=${path}><span class="key">${path}</span> <${Leaf} value=${leaf} /></li>`)}
          </ul>`
      : html`<${Node} name=${name} value=${value} depth=${0} />`}
  </div>`;
}
