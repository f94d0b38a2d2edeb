// The picture of a world: a canvas that is drawn when something moves, with pan, zoom, follow and a small map of the whole.

import { Camera } from "/page/camera.js";
import { draw, Look, playerOf } from "/page/draw.js";
import { html, Icon, seatColour, useEffect, useRef } from "/page/ui.js";

const SMALL_MAP_PX = 170;
const SMALL_MAP_SHARE = 0.75; // it is shown when less than this of the world is seen
const ZOOM_STEP = 1.35;
const PAN_STEP_PX = 80;

/** Draws one viewing on a canvas. `follow` is a player's id or null; `stats` holds how long drawing took. */
export class Painter {
  constructor(canvas, viewing, { small = null } = {}) {
    Object.assign(this, { canvas, viewing, small });
    this.context = canvas.getContext("2d", { alpha: false });
    this.camera = new Camera();
    this.follow = null;
    this.times = [];
    this._theme = null;
    this._dirty = true;
    this._observer = new ResizeObserver(() => this._resize());
    this._observer.observe(canvas);
    this._scheme = matchMedia("(prefers-color-scheme: dark)");
    this._retheme = () => {
      this._theme = null;
      this.again();
    };
    this._scheme.addEventListener("change", this._retheme);
    this._stop = viewing.on("change", () => this.again());
    this._resize();
  }

  /** Draws once more, soon. */
  again() {
    this._dirty = true;
    if (this._asked) return;
    this._asked = true;
    requestAnimationFrame((now) => this._turn(now));
  }

  close() {
    this._over = true;
    this._observer.disconnect();
    this._stop();
    this._scheme.removeEventListener("change", this._retheme);
  }

  zoom(factor, px, py) {
    this.camera.zoom(factor, px, py);
    this.again();
  }

  pan(dx, dy) {
    this.follow = null;
    this.camera.pan(dx, dy);
    this.again();
  }

  fit() {
    this.follow = null;
    this.camera.fit();
    this.again();
  }

  // --- inside ----------------------------------------------------------------------------------------

  _resize() {
    const { clientWidth, clientHeight } = this.canvas;
    this.ratio = Math.min(2, devicePixelRatio || 1);
    this.canvas.width = Math.max(1, Math.round(clientWidth * this.ratio));
    this.canvas.height = Math.max(1, Math.round(clientHeight * this.ratio));
    this.camera.resize(clientWidth, clientHeight);
    if (!this._over) this.again();
  }

  _turn(now) {
    this._asked = false;
    if (this._over) return;
    const began = performance.now();
    const moving = this.viewing.scene.advance(now);
    this._draw();
    this.times.push(performance.now() - began);
    if (this.times.length > 600) this.times.shift();
    this._dirty = false;
    if (moving) this.again();
  }

  _draw() {
    const { scene, players } = this.viewing;
    if (!this._look || this._look.version !== scene.version || this._look.players !== players) {
      this._look = new Look(scene, players);
      this.camera.setBounds(this._sided(scene));
    }
    this._theme ??= readTheme(this.canvas);
    const look = scene.camera?.look;
    const view = { context: this.context, ratio: this.ratio, camera: this.camera, scene, look: this._look, theme: this._theme, side: look === "side", grid: look === "grid", followed: this.follow };
    if (this.follow) this._centre(view);
    draw(view);
    if (this.small) this._drawSmall(view);
  }

  /** From the side, heights take the place of north and south. */
  _sided(scene) {
    const bounds = scene.bounds();
    if (scene.camera?.look !== "side") return bounds;
    let [top, bottom] = [0, 0];
    for (const { node } of scene.things.values()) {
      top = Math.max(top, (node.y ?? 0) + (node.sy ?? 0) / 2);
      bottom = Math.min(bottom, (node.y ?? 0) - (node.sy ?? 0) / 2);
    }
    const high = scene.size?.y;
    return { ...bounds, north: high ? -high : -top - 1, south: high ? 0 : -bottom + 1 };
  }

  _centre(view) {
    const body = this._look.bodies.find(({ player }) => player?.player === this.follow);
    if (body) this.camera.centre(body.thing.x, view.side ? -body.thing.y : body.thing.z);
  }

  _drawSmall(view) {
    const canvas = this.small;
    const shown = this.camera.share < SMALL_MAP_SHARE;
    canvas.hidden = !shown;
    if (!shown) return;
    const { west, east, north, south } = this.camera.bounds;
    const scale = SMALL_MAP_PX / Math.max(east - west, south - north);
    const [width, height] = [Math.round((east - west) * scale), Math.max(24, Math.round((south - north) * scale))];
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const camera = new Camera();
    camera.resize(width, height);
    camera.setBounds(this.camera.bounds);
    this.smallCamera = camera;
    const context = canvas.getContext("2d");
    context.fillStyle = view.theme.ground;
    context.fillRect(0, 0, width, height);
    for (const front of this._look.fronts) {
      context.fillStyle = front.colour;
      context.fillRect(camera.toPixels(front.thing.x, 0)[0] - 1, 0, 3, height);
    }
    for (const { thing, player } of this._look.bodies) {
      const [px, py] = camera.toPixels(thing.x, view.side ? -thing.y : thing.z);
      context.fillStyle = player ? seatColour(player.seat) : view.theme.ink;
      context.fillRect(px - 2, py - 2, 5, 5);
    }
    const [left, top] = camera.toPixels(...this.camera.toWorld(0, 0));
    const [right, bottom] = camera.toPixels(...this.camera.toWorld(this.camera.width, this.camera.height));
    context.strokeStyle = view.theme.ink;
    context.strokeRect(left + 0.5, top + 0.5, right - left, bottom - top);
  }
}

function readTheme(element) {
  const style = getComputedStyle(element);
  const value = (name) => style.getPropertyValue(name).trim();
  return { ground: value("--stage"), around: value("--sunk"), line: value("--stage-line"), ink: value("--stage-ink"), quiet: value("--stage-quiet"), halo: value("--stage-halo"), edge: value("--stage-edge"), accent: value("--accent") };
}

/** A canvas with a viewing on it; `onPainter` gets its painter. Without `active` it is a picture and nothing else. */
export function Stage({ viewing, label, active, ratio, onPainter, onPick }) {
  const canvas = useRef(null);
  const small = useRef(null);
  const painter = useRef(null);
  useEffect(() => {
    painter.current = new Painter(canvas.current, viewing, { small: small.current });
    onPainter?.(painter.current);
    const stop = active ? listen(canvas.current, small.current, painter.current, onPick) : () => {};
    return () => {
      stop();
      painter.current.close();
    };
  }, [viewing]);
  return html`<div class=${active ? "stage" : "thumbnail"} style=${ratio ? { height: "auto", aspectRatio: String(Math.round(ratio * 92) / 100), minHeight: "13rem", maxHeight: "calc(100dvh - 14rem)" } : {}}>
    <canvas ref=${canvas} role="img" aria-label=${label} class="picture"></canvas>
    ${active ? html`<canvas ref=${small} class="small-map" aria-hidden="true" hidden></canvas>` : null}
  </div>`;
}

/** Closer, farther, the whole: for those who have neither wheel nor keys. `painter` is a ref. */
export function CameraButtons({ painter }) {
  return html`<span class="group" role="group" aria-label="Camera">
    <button type="button" aria-label="Closer" title="Closer (Z)" onClick=${() => painter.current?.zoom(ZOOM_STEP)}><${Icon} name="closer" /></button>
    <button type="button" aria-label="Farther" title="Farther (X)" onClick=${() => painter.current?.zoom(1 / ZOOM_STEP)}><${Icon} name="farther" /></button>
    <button type="button" aria-label="Whole world" title="Whole world (0)" onClick=${() => painter.current?.fit()}><${Icon} name="whole" /></button>
  </span>`;
}

/** Camera moves by keys: returns whether the key was one. */
export function cameraKey(painter, key) {
  switch (key) {
    case "z":
      painter.zoom(ZOOM_STEP);
      return true;
    case "x":
      painter.zoom(1 / ZOOM_STEP);
      return true;
    case "0":
      painter.fit();
      return true;
    case "w":
      painter.pan(0, PAN_STEP_PX);
      return true;
    case "s":
      painter.pan(0, -PAN_STEP_PX);
      return true;
    case "a":
      painter.pan(PAN_STEP_PX, 0);
      return true;
    case "d":
      painter.pan(-PAN_STEP_PX, 0);
      return true;
    default:
      return false;
  }
}

/** Mouse, touch and wheel. Returns how to end it. */
function listen(canvas, small, painter, onPick) {
  const fingers = new Map();
  let moved = 0;
  const place = (event) => {
    const { left, top } = canvas.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };
  const down = (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, place(event));
    moved = 0;
  };
  const move = (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = place(event);
    moved += Math.abs(now[0] - before[0]) + Math.abs(now[1] - before[1]);
    if (fingers.size === 2) {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const apart = (from) => Math.hypot(from[0] - other[0], from[1] - other[1]);
      painter.zoom(apart(now) / Math.max(1, apart(before)), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    } else if (moved > 4) {
      painter.pan(now[0] - before[0], now[1] - before[1]);
    }
    fingers.set(event.pointerId, now);
  };
  const up = (event) => {
    if (fingers.delete(event.pointerId) && moved <= 4) onPick?.(playerAt(painter, place(event)));
  };
  const wheel = (event) => {
    event.preventDefault();
    painter.zoom(Math.exp(-event.deltaY / 400), ...place(event));
  };
  const jump = (event) => {
    const { left, top } = small.getBoundingClientRect();
    painter.follow = null;
    painter.camera.centre(...painter.smallCamera.toWorld(event.clientX - left, event.clientY - top));
    painter.again();
  };
  const pairs = [
    [canvas, "pointerdown", down],
    [canvas, "pointermove", move],
    [canvas, "pointerup", up],
    [canvas, "pointercancel", up],
    [canvas, "wheel", wheel],
    [small, "pointerdown", jump],
  ];
  for (const [element, kind, listener] of pairs) element.addEventListener(kind, listener, { passive: kind !== "wheel" });
  return () => {
    for (const [element, kind, listener] of pairs) element.removeEventListener(kind, listener);
  };
}

/** The player under a pixel, if there is one. */
function playerAt(painter, [px, py]) {
  const { camera, viewing } = painter;
  const side = viewing.scene.camera?.look === "side";
  for (const thing of viewing.scene.things.values()) {
    const player = playerOf(thing.node, viewing.players);
    if (!player) continue;
    const [x, y] = camera.toPixels(thing.x, side ? -thing.y : thing.z);
    if (Math.hypot(x - px, y - py) < 22) return player.player;
  }
  return null;
}
