// A client for Worldline that knows nothing but docs/reference/protocol.md, and no library but ws.
//
//     node client.mjs URL GAME MOST [WORLD]     make at most MOST inputs, and say on each line what became of one
//
// It is cut off by its tests, resumes, sends again what was not answered, and accounts for everything that it did.
import WebSocket from "ws";

const REDO_FROM_MS = 50;
const REDO_TO_MS = 2_000;
const GIVE_UP_MS = 60_000;
const STAY_AWAY = [1008, 4001]; // refused, taken over: coming back would not help

export class Session {
  constructor(url, name) {
    this.url = url;
    this.name = name;
    this.token = undefined;
    this.resumed = 0;
    this.lastId = 0;
    this.open = new Map(); // id → {message, resolve}: in the order in which they were asked
    this.socket = null;
    this.done = false;
  }

  /** Connect, and connect again whenever the connection is lost, until `close`. */
  async start() {
    this.welcome = await new Promise((resolve, reject) => {
      this.greeted = resolve;
      this.failed = reject;
      this.dial(0, Date.now());
    });
  }

  dial(attempt, since) {
    const socket = new WebSocket(this.url, ["worldline.v1.json"]);
    let welcomed = false;
    this.socket = socket;
    socket.on("open", () => {
      const hello = { type: "hello", id: 0, name: this.name, client: "node-test/1", resume: this.token };
      socket.send(JSON.stringify(hello));
    });
    socket.on("message", (data) => {
      const message = JSON.parse(data);
      if (message.type === "welcome") {
        welcomed = true;
        this.onWelcome(message);
      } else if (message.re !== undefined) this.onReply(message);
    });
    socket.on("error", () => {}); // what follows is "close"
    socket.on("close", (code, reason) => {
      if (this.done) return;
      if (STAY_AWAY.includes(code) || Date.now() - since > GIVE_UP_MS) {
        this.failed(new Error(`closed with ${code}: ${reason}`));
        return;
      }
      const wanted = /^retry_after_ms=(\d+)/.exec(reason.toString());
      const backoff = Math.min(REDO_TO_MS, REDO_FROM_MS * 2 ** attempt);
      const wait = wanted ? Number(wanted[1]) : backoff * (0.5 + Math.random());
      setTimeout(() => this.dial(welcomed ? 0 : attempt + 1, welcomed ? Date.now() : since), wait);
    });
  }

  onWelcome(welcome) {
    if (this.token !== undefined) {
      if (!welcome.resumed) return this.failed(new Error("the session is lost"));
      this.resumed += 1;
      for (const { message } of this.open.values()) this.send(message);
    }
    this.token = welcome.resume;
    this.greeted(welcome);
  }

  onReply(reply) {
    const asked = this.open.get(reply.re);
    if (asked === undefined) return;
    if (reply.type === "error" && reply.retry_after_ms !== undefined) {
      const socket = this.socket;
      // On another connection it has been sent again already.
      setTimeout(() => socket === this.socket && this.send(asked.message), reply.retry_after_ms);
      return;
    }
    this.open.delete(reply.re);
    asked.resolve(reply);
  }

  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** Ask, and return the one reply, however many connections that takes. */
  ask(type, fields) {
    const message = { type, id: ++this.lastId, ...fields };
    return new Promise((resolve) => {
      this.open.set(message.id, { message, resolve });
      this.send(message);
    });
  }

  close() {
    this.done = true;
    this.socket.close(1000);
  }
}

/** One player: counts its inputs and its events. */
export class Player {
  constructor(session, joined) {
    Object.assign(this, { session, world: joined.world, id: joined.player, agent: session.welcome.agent });
    this.nextSeq = joined.next_seq;
    this.cursor = joined.cursor;
    this.events = new Map();
    this.tick = 0;
  }

  saw(observation) {
    for (const event of observation.events) this.events.set(event.n, event);
    this.cursor = Math.max(this.cursor, observation.cursor);
    if (observation.missed > 0) throw new Error(`${observation.missed} events are lost`);
    if (observation.tick < this.tick) throw new Error(`time ran back from ${this.tick} to ${observation.tick}`);
    this.tick = observation.tick;
    return observation;
  }

  async observe(fields) {
    const reply = await this.session.ask("observe", { world: this.world, since: this.cursor, ...fields });
    return reply.type === "observation" ? this.saw(reply) : reply;
  }

  /** Do something; the answer is its outcome, or the error with which it was refused: then its seq is free. */
  async input(name, args, seen) {
    const fields = { world: this.world, name, args, seq: this.nextSeq, seen_tick: seen.tick, observe: true };
    let reply = await this.session.ask("input", { ...fields, note: `decided at tick ${seen.tick}` });
    while (reply.type === "outcome" && reply.status === "pending") reply = await this.session.ask("input", fields);
    if (reply.type === "outcome") {
      this.nextSeq += 1;
      if (reply.observation) this.saw(reply.observation);
      say({ seq: reply.seq, name, args, tick: reply.tick, status: reply.status, again: reply.duplicate === true });
    } else say({ refused: reply.code, seq: fields.seq, message: reply.message });
    return reply;
  }
}

function say(line) {
  console.log(JSON.stringify(line));
}

// --- Tsunami: fetch the nearest relic that is safe, bring it home -----------------------------------------

async function playTsunami(player, most) {
  let seen = await player.observe({});
  await player.input("buy_speed", {}, seen); // there are no coins yet: the rules reject it
  for (let count = 1; count < most; count += 1) {
    seen = await player.observe({});
    const { carrying, at_home: atHome, relics } = seen.data;
    const safe = relics.filter((relic) => relic.safe).sort((a, b) => a.distance - b.distance);
    let decided = ["move", { to: "home" }];
    if (carrying && atHome) decided = ["deposit", {}];
    else if (!carrying && safe.length > 0) {
      decided = safe[0].distance < 4.9 ? ["collect", { relic: safe[0].id }] : ["move", { to: safe[0].id }];
    }
    const outcome = await player.input(...decided, seen);
    if (decided[0] === "deposit" && outcome.status === "applied") return;
    if (decided[0] === "move") await player.observe({ until: "event", kinds: ["arrived", "hit_by_wave"] });
  }
}

// --- Snakes: go where most room is ------------------------------------------------------------------------

const STEPS = { up: [0, -1], down: [0, 1], left: [-1, 0], right: [1, 0] };

function direction({ size, you, snakes }) {
  const taken = new Set(snakes.flatMap((snake) => snake.body.map(({ x, z }) => `${x},${z}`)));
  const head = snakes.find((snake) => snake.id === you).body[0];
  const free = (x, z) => x >= 0 && z >= 0 && x < size && z < size && !taken.has(`${x},${z}`);
  const room = (x, z) => {
    const reached = new Set();
    const next = [[x, z]];
    while (next.length > 0) {
      const [cx, cz] = next.pop();
      if (reached.has(`${cx},${cz}`) || !free(cx, cz)) continue;
      reached.add(`${cx},${cz}`);
      for (const [dx, dz] of Object.values(STEPS)) next.push([cx + dx, cz + dz]);
    }
    return reached.size;
  };
  const rooms = Object.entries(STEPS).map(([name, [dx, dz]]) => [room(head.x + dx, head.z + dz), name]);
  return rooms.reduce((best, one) => (one[0] > best[0] ? one : best))[1];
}

async function playSnakes(player, most) {
  let seen = await player.observe({ until: "turn" });
  for (let count = 0; count < most; ) {
    if (seen.type !== "observation" || seen.ended) return;
    if (!seen.your_turn) {
      seen = await player.observe({ until: "turn" });
      continue;
    }
    const outcome = await player.input("move", { direction: direction(seen.data) }, seen);
    count += outcome.type === "outcome" ? 1 : 0;
    seen = outcome.observation ?? (await player.observe({}));
  }
}

const [url, game, most, there] = process.argv.slice(2);
const session = new Session(url, `node ${game}`);
await session.start();
const joined = await session.ask("join", there ? { world: there } : { game });
if (joined.type !== "joined") throw new Error(JSON.stringify(joined));
const player = new Player(session, joined);
await (game === "snakes" ? playSnakes : playTsunami)(player, Number(most));
const { world, id, agent, cursor } = player;
say({ done: true, world, player: id, agent, cursor, resumed: session.resumed, events: [...player.events.keys()] });
session.close();
