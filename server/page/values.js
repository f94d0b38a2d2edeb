// Plain values (what JSON holds) as rows to show: paths, search, what differs. Pure.
//
// A path is written as the server and the command line read it: players.p_1.score, state.teams[2], state["a.b"]; places in
// a list count from 1.

/** Whether a value has values in it. */
export function isBranch(value) {
  return typeof value === "object" && value !== null;
}

/** The path of what stands at `key` of the value at `path`. */
export function step(path, key, inList) {
  if (inList) return `${path}[${Number(key) + 1}]`;
  if (/^[^.[\]"\s]+$/.test(key)) return path ? `${path}.${key}` : key;
  return `${path}["${key.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"]`;
}

/** What stands right below a value: [name, path, value] of each. */
function children(value, path) {
  const inList = Array.isArray(value);
  return Object.entries(value).map(([key, child]) => [inList ? `[${Number(key) + 1}]` : key, step(path, key, inList), child]);
}

/** How many values stand right below one, with the brackets of its kind. */
export function sizeText(value) {
  return Array.isArray(value) ? `[${value.length}]` : `{${Object.keys(value).length}}`;
}

/**
 * The rows of a tree of which the branches in `open` (paths) are open, from top to bottom: {path, name, value, depth,
 * place, of}; `place` counts from 1 among its `of` neighbours.
 */
export function treeRows(value, open, path = "", depth = 1, rows = []) {
  const inside = children(value, path);
  inside.forEach(([name, childPath, child], at) => {
    rows.push({ path: childPath, name, value: child, depth, place: at + 1, of: inside.length });
    if (isBranch(child) && open.has(childPath)) treeRows(child, open, childPath, depth + 1, rows);
  });
  return rows;
}

/** The plain values under a value: {path, value} of each. */
export function leaves(value, path = "", list = []) {
  for (const [, childPath, child] of children(value, path)) {
    if (isBranch(child) && Object.keys(child).length > 0) leaves(child, childPath, list);
    else list.push({ path: childPath, value: child });
  }
  return list;
}

/** Those leaves whose path or value has the word, without regard to case. */
export function search(found, word) {
  const wanted = word.trim().toLowerCase();
  return found.filter(({ path, value }) => path.toLowerCase().includes(wanted) || (!isBranch(value) && String(value).toLowerCase().includes(wanted)));
}

/**
 * What is different between two values, leaf by leaf: {path, before, after}; what is only in one of them is undefined in
 * the other. In the order of `after`, behind that what is gone.
 */
export function differences(before, after, path = "", list = []) {
  const comparable = isBranch(before) && isBranch(after) && Array.isArray(before) === Array.isArray(after);
  if (!comparable) {
    if (!sameLeaf(before, after)) list.push({ path, before, after });
    return list;
  }
  const inList = Array.isArray(after);
  for (const key of Object.keys(after)) differences(before[key], after[key], step(path, key, inList), list);
  for (const key of Object.keys(before)) {
    if (!Object.hasOwn(after, key)) list.push({ path: step(path, key, inList), before: before[key], after: undefined });
  }
  return list;
}

function sameLeaf(before, after) {
  if (Object.is(before, after)) return true;
  return isBranch(before) && isBranch(after) && Object.keys(before).length === 0 && Object.keys(after).length === 0 && Array.isArray(before) === Array.isArray(after);
}

/** How many of these changes are at a path or below it, for each path that has some. */
export function changesBelow(changes) {
  const counts = new Map();
  for (const { path } of changes) {
    for (const above of prefixes(path)) counts.set(above, (counts.get(above) ?? 0) + 1);
  }
  return counts;
}

/** A path and all that lead to it. */
function prefixes(path) {
  const found = [];
  const ends = /\["(?:[^"\\]|\\.)*"\]|\[\d+\]|\.?[^.[\]"]+/g;
  for (let match = ends.exec(path); match !== null; match = ends.exec(path)) found.push(path.slice(0, ends.lastIndex));
  return found;
}

/** A plain value as one reads it. */
export function leafText(value) {
  if (isBranch(value)) return Array.isArray(value) ? "[]" : "{}";
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
