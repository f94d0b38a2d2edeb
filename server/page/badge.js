// Whether a world comes out the same when it is computed again, as the server's check on the side has found.

import { html, number, useEffect, useState } from "/page/ui.js";

const LOOK_EVERY_MS = 5000;

/** The server's row of a world in `worlds`, looked up again and again: null where it lists none of this name. */
export function useRow(wire, world, wanted) {
  const [row, setRow] = useState(undefined);
  useEffect(() => {
    if (!wanted) return undefined;
    let over = false;
    let timer;
    const look = async () => {
      try {
        const { worlds } = document.hidden && row !== undefined ? {} : await wire.request("worlds", { world });
        if (!over && worlds) setRow(worlds[0] ?? null);
      } catch {
        // the connection says what is wrong with it; the next look comes soon
      }
      if (!over) timer = setTimeout(look, LOOK_EVERY_MS);
    };
    look();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [wire, world, wanted]);
  return row;
}

/** What a row says of the check: {kind: "verified" | "diverged" | "unchecked", text, why}. */
export function checkOf(row) {
  if (row?.diverged_tick != null) {
    return {
      kind: "diverged",
      text: `diverged at ${number(row.diverged_tick)}`,
      why: `Computed again, this world was not the same at tick ${number(row.diverged_tick)}. The server's log and its reports folder say more.`,
    };
  }
  if (row?.verified_tick != null) {
    return {
      kind: "verified",
      text: `verified to ${number(row.verified_tick)}`,
      why: `The server has computed this world again up to tick ${number(row.verified_tick)}: it came out the same.`,
    };
  }
  const missing = row === null ? "It ended so long ago that the server does not list it any more." : "The server has not come to it yet.";
  return { kind: "unchecked", text: "not checked yet", why: missing };
}

/** The badge; its sign says what its colour says. */
export function Badge({ row }) {
  if (row === undefined) return null;
  const check = checkOf(row);
  return html`<span class=${`check-badge ${check.kind}`} title=${check.why}>${check.text}</span>`;
}
