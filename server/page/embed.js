// The page in a frame of somebody's page: what that page may ask for and what it is told, by messages between windows.
//
// Invariant: only the window that holds this frame is heard. What it is told goes to the origin that has asked, and to no
// other; what is said before anybody has asked holds nothing of the world. Every request has one answer.

import { SPEEDS } from "/page/time.js";

const TELL_EVERY_MS = 100;
const [SLOWEST, FASTEST] = [SPEEDS[0], SPEEDS[SPEEDS.length - 1]];
const NO_ORIGIN = "null";

/** A request that cannot be done; its message says why. */
class Wrong extends Error {}

const ACTIONS = {
  hello: () => undefined,
  play: (viewing) => viewing.control("play"),
  pause: (viewing) => viewing.control("pause"),
  live: (viewing) => viewing.control("live"),
  seek: (viewing, { tick }) => {
    const { firstTick, lastTick } = viewing;
    if (!Number.isInteger(tick) || tick < firstTick || tick > lastTick) throw new Wrong(`tick must be an integer from ${firstTick} to ${lastTick}`);
    return viewing.seek(tick);
  },
  speed: (viewing, { speed }) => {
    if (typeof speed !== "number" || !(speed >= SLOWEST && speed <= FASTEST)) throw new Wrong(`speed must be a number from ${SLOWEST} to ${FASTEST}`);
    return viewing.control("speed", { speed });
  },
};

/** Lets the page that holds this frame drive a viewing. Returns how to end it. */
export function listenToHost(viewing) {
  const host = window.parent;
  if (host === window) return () => {};
  let origin = null; // of whoever has asked
  let told = "";
  let timer = null;
  const post = (message, to) => host.postMessage(message, to);
  const tell = () => {
    timer = null;
    const state = stateOf(viewing);
    const text = JSON.stringify(state);
    if (origin === null || text === told) return;
    told = text;
    post(state, origin);
  };
  const hear = async (event) => {
    if (event.source !== host || typeof event.data?.worldline !== "string") return;
    if (event.origin === NO_ORIGIN) {
      post({ worldline: "error", message: "a page without an origin (a file, a sandboxed frame) is told nothing → serve it over HTTP" }, "*");
      return;
    }
    const answer = await answerTo(viewing, event.data);
    origin = event.origin;
    post(answer, origin);
    told = "";
    tell();
  };
  const changed = () => {
    timer ??= setTimeout(tell, TELL_EVERY_MS);
  };
  const stops = [viewing.on("change", changed), whenShown(viewing, () => post({ worldline: "ready" }, "*"))];
  addEventListener("message", hear);
  return () => {
    removeEventListener("message", hear);
    clearTimeout(timer);
    for (const stop of stops) stop();
  };
}

/** Calls back once there is something to drive. */
function whenShown(viewing, ready) {
  const stop = viewing.on("change", () => {
    if (viewing.frames === 0) return;
    stop();
    ready();
  });
  return stop;
}

async function answerTo(viewing, { worldline: action, id, ...fields }) {
  const re = id === undefined ? {} : { re: id };
  try {
    if (!Object.hasOwn(ACTIONS, action)) throw new Wrong(`there is no ${JSON.stringify(action)} → ${Object.keys(ACTIONS).join(", ")}`);
    if (viewing.frames === 0) throw new Wrong("the world is not shown yet → wait for ready");
    await ACTIONS[action](viewing, fields);
    if (viewing.error) throw new Wrong(viewing.error.message);
    return { worldline: "done", ...re };
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    return { worldline: "error", ...re, message: error.message };
  }
}

function stateOf(viewing) {
  return {
    worldline: "state",
    world: viewing.world,
    tick: viewing.scene.tick,
    first_tick: viewing.firstTick,
    last_tick: viewing.lastTick,
    tick_hz: viewing.tickHz,
    playing: viewing.playing,
    live: viewing.live,
    speed: viewing.stream?.speed ?? 1,
    ended: viewing.over,
  };
}
