// What is drawn: the nodes of a world as the frames say, and where they are between two frames.
//
// A frame says where things are at its tick. The scene moves them there from where they are drawn now, within the time
// that frames take to come: so a late frame makes things slower, never jerky. What jumps (a player washed home) jumps.
// Pure: no canvas, no clock; times are given.

const JUMP_OF_SIZE = 0.12; // of the world's larger side: nothing walks so far between two frames
const FASTEST_MS = 16;
const SLOWEST_MS = 450;

/** One thing: its node, where it is now (x, y, z, rot) and where it came from. */
class Thing {
  constructor(node) {
    this.node = node;
    this.x = this.fromX = node.x ?? 0;
    this.y = this.fromY = node.y ?? 0;
    this.z = this.fromZ = node.z ?? 0;
    this.rot = this.fromRot = node.rot ?? 0;
  }
}

export class Scene {
  constructor() {
    this.things = new Map();
    this.size = null; // {x, z} as the game says, or null
    this.camera = null;
    this.tick = 0;
    this.shownTick = 0;
    this.version = 0; // counts changes of which things there are and how they look
    this._static = new Map();
    this._begun = false;
    this._pages = [];
    this._gone = new Map(); // what was drawn before a frame without base: it moves on from there
    this._moving = [];
    this._startedAt = 0;
    this._lastsMs = 100;
    this._fromTick = 0;
    this._arrivedAt = 0;
  }

  /** Another stream begins with these nodes; what is drawn stays until its first frame is here. */
  begin(scene) {
    this._static = new Map((scene.nodes ?? []).map((node) => [node.id, node]));
    this._begun = false;
    this._pages = [];
    this._dress(scene);
  }

  /** More nodes than fitted into one message. Before the first frame they are what the stream begins with. */
  addPage(nodes) {
    if (this._begun) this._pages.push(...nodes);
    else for (const node of nodes) this._static.set(node.id, node);
  }

  /** Takes a frame. `smooth`: move there within the time that frames take, else be there at once. */
  take(frame, now, smooth) {
    const scene = frame.scene ?? {};
    this._dress(scene);
    this.advance(now);
    const apart = now - this._arrivedAt;
    if (frame.tick !== this.tick) this._arrivedAt = now;
    if (frame.tick !== this.tick && apart < 2 * SLOWEST_MS) this._lastsMs += (Math.max(FASTEST_MS, Math.min(SLOWEST_MS, apart)) - this._lastsMs) * 0.3;
    this._fromTick = smooth ? this.shownTick : frame.tick;
    this.tick = frame.tick;
    this._startedAt = now;
    if (frame.base_tick === undefined || frame.base_tick === null) this._reset();
    this._change([...this._pages, ...(scene.nodes ?? [])], scene.removed ?? []);
    this._begun = true;
    this._pages = [];
    this._gone = new Map();
    this._aim(smooth);
    this.advance(now);
  }

  /** Puts everything where it is at `now`; returns whether anything still moves. */
  advance(now) {
    const part = Math.max(0, Math.min(1, (now - this._startedAt) / this._lastsMs));
    this.shownTick = this._fromTick + (this.tick - this._fromTick) * part;
    for (const thing of this._moving) {
      thing.x = thing.fromX + (thing.node.x - thing.fromX) * part;
      thing.y = thing.fromY + ((thing.node.y ?? 0) - thing.fromY) * part;
      thing.z = thing.fromZ + (thing.node.z - thing.fromZ) * part;
      thing.rot = thing.fromRot + turn(thing.fromRot, thing.node.rot ?? 0) * part;
    }
    if (part === 1) this._moving = [];
    return part < 1;
  }

  /** The part of the world to show at first: {west, east, north, south}. */
  bounds() {
    const { x: wide, z: deep } = this.size ?? {};
    if (wide > 0 && deep > 0) {
      const x = this.camera?.x ?? 0;
      const z = this.camera?.z ?? 0;
      return { west: x - wide / 2, east: x + wide / 2, north: z - deep / 2, south: z + deep / 2 };
    }
    let [west, east, north, south] = [Infinity, -Infinity, Infinity, -Infinity];
    for (const { node } of this.things.values()) {
      west = Math.min(west, node.x - (node.sx ?? 0) / 2);
      east = Math.max(east, node.x + (node.sx ?? 0) / 2);
      north = Math.min(north, node.z - (node.sz ?? 0) / 2);
      south = Math.max(south, node.z + (node.sz ?? 0) / 2);
    }
    if (west > east) return { west: -10, east: 10, north: -10, south: 10 };
    const pad = Math.max(1, 0.08 * Math.max(east - west, south - north));
    return { west: west - pad, east: east + pad, north: north - pad, south: south + pad };
  }

  // --- inside ----------------------------------------------------------------------------------------

  _dress(scene) {
    if (scene.size) this.size = scene.size;
    if (scene.camera) this.camera = scene.camera;
  }

  /** Back to what the stream began with: a frame without base is a difference from that. */
  _reset() {
    this._gone = this.things;
    this.things = new Map();
    for (const node of this._static.values()) this._put(this._gone, node);
    this.version += 1;
  }

  _put(old, node) {
    const thing = old.get(node.id);
    if (thing === undefined || thing.node.kind !== node.kind) {
      this.things.set(node.id, new Thing(node));
      return;
    }
    thing.node = node;
    this.things.set(node.id, thing);
  }

  _change(nodes, removed) {
    for (const id of removed) this.things.delete(id);
    let looksChanged = removed.length > 0;
    for (const node of nodes) {
      const thing = this.things.get(node.id);
      if (thing === undefined) {
        this._put(this._gone, node);
        looksChanged = true;
        continue;
      }
      looksChanged ||= looksDiffer(thing.node, node);
      thing.node = node;
    }
    if (looksChanged) this.version += 1;
  }

  _aim(smooth) {
    const { west, east, north, south } = this.bounds();
    const jump = JUMP_OF_SIZE * Math.max(east - west, south - north);
    this._moving = [];
    for (const thing of this.things.values()) {
      const { node } = thing;
      const away = Math.abs(node.x - thing.x) + Math.abs(node.z - thing.z) + Math.abs((node.y ?? 0) - thing.y);
      if (away === 0 && (node.rot ?? 0) === thing.rot) continue;
      if (!smooth || away > jump) {
        [thing.x, thing.y, thing.z, thing.rot] = [node.x, node.y ?? 0, node.z, node.rot ?? 0];
        [thing.fromX, thing.fromY, thing.fromZ, thing.fromRot] = [thing.x, thing.y, thing.z, thing.rot];
        continue;
      }
      [thing.fromX, thing.fromY, thing.fromZ, thing.fromRot] = [thing.x, thing.y, thing.z, thing.rot];
      this._moving.push(thing);
    }
  }
}

function looksDiffer(one, other) {
  for (const name of ["kind", "colour", "shape", "label", "name", "sx", "sy", "sz"]) if (one[name] !== other[name]) return true;
  return false;
}

/** The shorter way from one angle to another, in radians. */
function turn(from, to) {
  const whole = 2 * Math.PI;
  return ((((to - from) % whole) + whole + Math.PI) % whole) - Math.PI;
}
