// Any JSON value as a tree that opens and closes, with a search: for observations, states and records.
//
// Only the rows that are to be seen are in the page, so a value may have any number of them. It is worked by keys as
// trees are: arrows, Home, End, Enter.

import { Copy, html, useEffect, useMemo, useRef, useState } from "/page/ui.js";
import { isBranch, leafText, leaves, search, sizeText, treeRows } from "/page/values.js";

const ROW_PX = 24;
const AROUND = 8; // rows that are drawn above and below those that are seen
const PAGE_ROWS = 12;
const HEIGHT_MOST_PX = 432;
let trees = 0;

/**
 * The tree of a value, with a field that searches paths and values.
 *
 * `root` is the path of the value itself. `changes`: by path what it was before ({isLeaf, before}), or how much is different
 * below it ({below}). `more(path)` is what else
 * can be done with the picked row.
 */
export function Tree({ value, label, root = "", changes, more }) {
  const [word, setWord] = useState("");
  const [open, setOpen] = useState(() => new Set());
  const [picked, setPicked] = useState(null);
  const hits = useMemo(() => (word.trim() && isBranch(value) ? search(leaves(value, root), word).map((leaf) => asRow(leaf)) : null), [value, word]);
  const rows = useMemo(() => hits ?? (isBranch(value) ? treeRows(value, open, root) : []), [hits, value, open]);
  if (!isBranch(value)) return html`<p class="tree"><${Leaf} value=${value} /></p>`;
  const toggle = (path, wanted) => {
    const now = new Set(open);
    if (wanted ?? !now.has(path)) now.add(path);
    else now.delete(path);
    setOpen(now);
  };
  return html`<div class="tree">
    <div class="tree-head">
      <label class="search">
        <span>Search ${label}</span>
        <input type="search" value=${word} onInput=${(event) => setWord(event.currentTarget.value)} />
      </label>
      <button type="button" disabled=${open.size === 0} onClick=${() => setOpen(new Set())}>Close all</button>
    </div>
    ${hits ? html`<p class="quiet" role="status">${hits.length === 0 ? "nothing found" : `${hits.length} found`}</p>` : null}
    <${Rows} rows=${rows} open=${open} toggle=${toggle} label=${label} picked=${picked} onPick=${setPicked} changes=${changes} />
    <${Picked} row=${rows.find(({ path }) => path === picked)} more=${more} />
  </div>`;
}

/** A list of leaves with their whole paths, drawn as trees are: {path, value, before?}. */
export function LeafList({ list, label, more }) {
  const [picked, setPicked] = useState(null);
  const rows = useMemo(() => list.map((leaf) => asRow(leaf)), [list]);
  return html`<div class="tree">
    <${Rows} rows=${rows} open=${new Set()} toggle=${() => {}} label=${label} picked=${picked} onPick=${setPicked} />
    <${Picked} row=${rows.find(({ path }) => path === picked)} more=${more} />
  </div>`;
}

function asRow({ path, value, before, changed }) {
  return { path, name: path, value, before, changed, depth: 1, leaf: true };
}

function Rows({ rows, open, toggle, label, picked, onPick, changes }) {
  const box = useRef(null);
  const [top, setTop] = useState(0);
  const [name] = useState(() => `tree-${(trees += 1)}`);
  const at = rows.findIndex(({ path }) => path === picked);
  const first = Math.max(0, Math.floor(top / ROW_PX) - AROUND);
  const shown = rows.slice(first, first + Math.ceil(HEIGHT_MOST_PX / ROW_PX) + 2 * AROUND);
  useEffect(() => {
    if (box.current && box.current.scrollTop !== top) setTop(box.current.scrollTop); // there are fewer rows than before
  }, [rows.length]);
  const pick = (index) => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, index))];
    if (!row) return;
    onPick(row.path);
    const [above, below] = [rows.indexOf(row) * ROW_PX, (rows.indexOf(row) + 1) * ROW_PX];
    const { scrollTop, clientHeight } = box.current;
    if (above < scrollTop) box.current.scrollTop = above;
    else if (below > scrollTop + clientHeight) box.current.scrollTop = below - clientHeight;
  };
  const pressed = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (treeKey(event.key, { rows, at, open, toggle, pick })) event.preventDefault();
  };
  const isShown = at >= first && at < first + shown.length;
  return html`<div
    class="rows" ref=${box} role="tree" aria-label=${label} tabindex="0"
    aria-activedescendant=${isShown ? `${name}-${at}` : undefined}
    onKeyDown=${pressed} onScroll=${(event) => setTop(event.currentTarget.scrollTop)}
    onFocus=${() => at < 0 && pick(0)}
  >
    <div role="none" style=${{ height: `${rows.length * ROW_PX}px` }}>
      ${shown.map((row, number) => html`<${Row} key=${row.path} id=${`${name}-${first + number}`} row=${row} at=${first + number} total=${rows.length} isOpen=${open.has(row.path)} isPicked=${row.path === picked} change=${changes?.get(row.path)} onPick=${() => { onPick(row.path); if (hasInside(row)) toggle(row.path); }} />`)}
    </div>
  </div>`;
}

function hasInside(row) {
  return !row.leaf && isBranch(row.value) && Object.keys(row.value).length > 0;
}

/** What a key does in a tree; whether it does something. */
function treeKey(key, { rows, at, open, toggle, pick }) {
  const row = rows[at];
  const isOpen = row && open.has(row.path);
  const moves = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1, PageDown: at + PAGE_ROWS, PageUp: at - PAGE_ROWS };
  if (key in moves) pick(moves[key]);
  else if (!row) return false;
  else if (key === "ArrowRight" && hasInside(row) && !isOpen) toggle(row.path, true);
  else if (key === "ArrowRight" && hasInside(row)) pick(at + 1);
  else if (key === "ArrowLeft" && hasInside(row) && isOpen) toggle(row.path, false);
  else if (key === "ArrowLeft") pick(rows.findLastIndex((other, index) => index < at && other.depth < row.depth));
  else if ((key === "Enter" || key === " ") && hasInside(row)) toggle(row.path);
  else return false;
  return true;
}

function Row({ id, row, at, total, isOpen, isPicked, change, onPick }) {
  const inside = hasInside(row);
  const changed = row.changed || change !== undefined;
  return html`<div
    id=${id} role="treeitem" class=${`row ${isPicked ? "picked" : ""} ${changed ? "changed" : ""}`}
    aria-level=${row.depth} aria-posinset=${row.place ?? at + 1} aria-setsize=${row.of ?? total}
    aria-expanded=${inside ? String(isOpen) : undefined} aria-selected=${String(isPicked)}
    style=${{ top: `${at * ROW_PX}px`, paddingLeft: `${row.depth - 0.75}rem` }} onClick=${onPick}
  >
    <span class="opener" aria-hidden="true">${inside ? (isOpen ? "▾" : "▸") : ""}</span>
    <span class="key">${row.name}</span>
    ${inside ? html` <span class="size">${sizeText(row.value)}</span>` : html` <${Leaf} value=${row.value} />`}
    ${row.changed || change?.isLeaf ? html` <span class="was">${wasText(row.changed ? row.before : change.before)}</span>` : null}
    ${change && !change.isLeaf ? html` <span class="was">${change.below === 1 ? "1 change" : `${change.below} changes`}</span>` : null}
  </div>`;
}

function wasText(before) {
  return before === undefined ? "new" : `was ${isBranch(before) ? sizeText(before) : leafText(before)}`;
}

function Leaf({ value }) {
  if (value === undefined) return html`<span class="leaf gone">gone</span>`;
  const kind = value === null ? "null" : typeof value;
  return html`<span class=${`leaf ${kind}`}>${isBranch(value) && Object.keys(value).length > 0 ? sizeText(value) : leafText(value)}</span>`;
}

/** The row that was picked, whole, and what can be done with it. */
function Picked({ row, more }) {
  if (!row) return html`<p class="quiet picked-line">Pick a line to copy its path.</p>`;
  const value = isBranch(row.value) ? JSON.stringify(row.value, null, 2) : leafText(row.value);
  return html`<div class="picked-line">
    <p><code>${row.path}</code>${isBranch(row.value) || row.value === undefined ? null : html` = <${Leaf} value=${row.value} />`}</p>
    <p class="actions">
      <${Copy} text=${row.path} title="Copy the path of this line">Copy path<//>
      ${row.value === undefined ? null : html`<${Copy} text=${value} title="Copy what stands there, as JSON">Copy value<//>`}
      ${more?.(row.path)}
    </p>
  </div>`;
}
