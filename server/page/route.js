// Which view an address means. The part behind # is /, /game/NAME, /play/NAME or /w/WORLD@TICK?as=PLAYER: one address for
// a world at a tick, as everywhere in Worldline.

const WORLD = /^([!-~]+?)(?:@(\d+))?$/;

/** Reads the part of an address behind #: {view, game?, world?, tick?, as?}; view is home for anything unknown. */
export function readRoute(hash) {
  const [path, query] = hash.replace(/^#/, "").split("?");
  const [, first, second] = path.split("/").map(decoded);
  const options = new URLSearchParams(query ?? "");
  if (first === "w" && second) {
    const match = WORLD.exec(second);
    if (match) {
      const tick = match[2] === undefined ? undefined : Number(match[2]);
      return { view: "world", world: match[1], tick, as: options.get("as") ?? undefined };
    }
  }
  if (first === "game" && second) return { view: "game", game: second };
  if (first === "play" && second) return { view: "play", game: second, world: options.get("world") ?? undefined };
  return { view: "home" };
}

/** The address of a world, at a tick if one is given, as a player sees it if one is given. */
export function worldAddress(world, tick, as) {
  const place = tick === undefined ? world : `${world}@${tick}`;
  return `#/w/${place}${as ? `?as=${encodeURIComponent(as)}` : ""}`;
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a stray % is part of no name that exists
  }
}
