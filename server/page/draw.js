// Draws a scene on a canvas, whatever the game. Kinds, shapes, colours and sizes come from the nodes; players wear the
// colour and the number of their seat, so that colour is never the only thing that tells them apart.
//
// Things that look the same are drawn as one path: two thousand cost a few milliseconds.

import { inkOn, seatColour } from "/page/ui.js";

/** Shapes for nodes that name none, by kind: what games often have. Others get one of `OTHERS` by their kind's name. */
const SHAPE_OF_KIND = { player: "disc", relic: "diamond", food: "diamond", item: "diamond", wave: "front", base: "plot", home: "plot", body: "cell", tree: "disc", grove: "disc", hut: "box", village: "box", wall: "box", fence: "box", trophy: "diamond" };
const ALIASES = { sphere: "disc", ball: "disc", circle: "disc", cylinder: "disc", square: "box", cube: "box", block: "box", cone: "triangle" };
const KNOWN = new Set(["disc", "box", "diamond", "triangle", "hexagon", "front", "plot", "cell"]);
const OTHERS = ["disc", "box", "diamond", "triangle", "hexagon"];
const LAYER_OF_SHAPE = { plot: 0, cell: 2, diamond: 3, front: 4 };
const PLAYER_LAYER = 5;
const SMALL_LAYER = 1;
const DEFAULT_COLOUR = "#8a8f98";
const COLOUR = /^#[0-9a-fA-F]{6}$/;
const PLAYER_RADIUS_PX = 11;
const ITEM_RADIUS_PX = 6;
const WAKE = 6; // a front's wake is so many times as long as its half
const LABEL_MOST = 28; // characters
const LABELS_FROM_PX = 420; // narrower pictures name players only
const WIDTHS_MOST = 2000;
const WIDTHS = new Map();
const FONT = 'system-ui, "DejaVu Sans", sans-serif';

export function shapeOf(node) {
  const named = ALIASES[node.shape] ?? node.shape;
  if (KNOWN.has(named)) return named;
  if (SHAPE_OF_KIND[node.kind]) return SHAPE_OF_KIND[node.kind];
  let sum = 0;
  for (const letter of String(node.kind)) sum = (sum * 31 + letter.charCodeAt(0)) % 9973;
  return OTHERS[sum % OTHERS.length];
}

/** Which player a node is, if it is one: by id, by name, by label, by seat. */
export function playerOf(node, players) {
  if (node.kind !== "player") return undefined;
  return (
    players.find((player) => player.player === node.name || player.player === node.player) ??
    players.find((player) => player.name === node.name) ??
    players.find((player) => player.name === node.label || String(player.seat) === node.name)
  );
}

/** How a scene is drawn: made anew when its looks or the players change. */
export class Look {
  constructor(scene, players) {
    this.version = scene.version;
    this.players = players;
    this.bodies = [];
    this.fronts = [];
    this.groups = [];
    this.labelled = [];
    const colours = new Map();
    const claims = new Map();
    for (const thing of scene.things.values()) {
      if (thing.node.kind !== "player") continue;
      const player = playerOf(thing.node, players);
      this.bodies.push({ thing, player });
      if (!player) continue;
      claims.set(thing.node.colour, (claims.get(thing.node.colour) ?? 0) + 1);
      colours.set(thing.node.colour, seatColour(player.seat));
    }
    for (const [colour, count] of claims) if (count > 1) colours.delete(colour);
    this._group(scene, colours);
  }

  _group(scene, colours) {
    const groups = new Map();
    for (const thing of scene.things.values()) {
      const { node } = thing;
      if (node.kind === "player") continue;
      const shape = shapeOf(node);
      const own = COLOUR.test(node.colour ?? "") ? node.colour : DEFAULT_COLOUR;
      const colour = colours.get(node.colour) ?? own;
      if (node.label && shape !== "front") this.labelled.push(thing);
      if (shape === "front") {
        this.fronts.push({ thing, colour });
        continue;
      }
      const layer = LAYER_OF_SHAPE[shape] ?? SMALL_LAYER;
      const key = `${layer} ${shape} ${colour}`;
      if (!groups.has(key)) groups.set(key, { layer, shape, colour, things: [] });
      groups.get(key).things.push(thing);
    }
    this.groups = [...groups.values()].sort((one, other) => one.layer - other.layer);
  }
}

/**
 * One picture. `view`: {context, ratio, camera, scene, look, theme, side, grid, followed}; theme has ground, line, ink,
 * halo.
 */
export function draw(view) {
  const { context, ratio, camera, theme } = view;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = theme.around;
  context.fillRect(0, 0, camera.width, camera.height);
  drawGround(view);
  for (const group of view.look.groups) drawGroup(view, group);
  context.save();
  context.beginPath();
  context.rect(...groundBox(camera));
  context.clip();
  for (const front of view.look.fronts) drawFront(view, front);
  context.restore();
  for (const body of view.look.bodies) drawBody(view, body);
  drawLabels(view);
}

function downOf(view, thing) {
  return view.side ? -thing.y : thing.z;
}

/** Where the world is in the picture: x, y, width, height. */
function groundBox(camera) {
  const [left, top] = camera.toPixels(camera.bounds.west, camera.bounds.north);
  const [right, bottom] = camera.toPixels(camera.bounds.east, camera.bounds.south);
  return [left, top, right - left, bottom - top];
}

function drawGround({ context, camera, theme, grid }) {
  const { west, east, north, south } = camera.bounds;
  const [left, top, width, height] = groundBox(camera);
  const [right, bottom] = [left + width, top + height];
  context.fillStyle = theme.ground;
  context.fillRect(left, top, width, height);
  const step = grid ? 1 : niceStep(80 / camera.scale);
  context.beginPath();
  const firstX = grid ? west : Math.ceil(west / step) * step;
  for (let x = firstX; x <= east + 1e-9; x += step) {
    const px = Math.round(camera.toPixels(x, 0)[0]) + 0.5;
    context.moveTo(px, top);
    context.lineTo(px, bottom);
  }
  const firstZ = grid ? north : Math.ceil(north / step) * step;
  for (let z = firstZ; z <= south + 1e-9; z += step) {
    const py = Math.round(camera.toPixels(0, z)[1]) + 0.5;
    context.moveTo(left, py);
    context.lineTo(right, py);
  }
  context.strokeStyle = theme.line;
  context.lineWidth = 1;
  context.stroke();
}

/** 1, 2, 5, 10, 20 … at least `units`. */
function niceStep(units) {
  const power = 10 ** Math.floor(Math.log10(units));
  return power * ([1, 2, 5].find((factor) => factor * power >= units) ?? 10);
}

function drawGroup(view, { shape, colour, things }) {
  const { context, camera, theme } = view;
  context.beginPath();
  for (const thing of things) {
    const [px, py] = camera.toPixels(thing.x, downOf(view, thing));
    if (px < -200 || py < -200 || px > camera.width + 200 || py > camera.height + 200) continue;
    trace(view, shape, thing.node, px, py);
  }
  context.fillStyle = colour;
  if (shape === "plot") {
    context.globalAlpha = 0.35;
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = colour;
    context.lineWidth = 1.5;
    context.stroke();
    return;
  }
  context.fill();
  if (shape === "diamond") {
    context.strokeStyle = theme.edge;
    context.lineWidth = 1;
    context.stroke();
  }
}

/** Half of a side in pixels: the node's own size, but never too small to be seen. */
function half(size, scale, least) {
  return Math.max(least, ((size || 0) * scale) / 2);
}

function trace({ context, camera, grid, side }, shape, node, px, py) {
  const { scale } = camera;
  const least = shape === "diamond" ? (camera.width < LABELS_FROM_PX ? ITEM_RADIUS_PX * 0.6 : ITEM_RADIUS_PX) : 1.25;
  const wide = grid ? scale * 0.46 : half(node.sx, scale, least);
  const deep = grid ? scale * 0.46 : half(side ? node.sy : node.sz, scale, least);
  switch (shape) {
    case "disc":
      if (wide < 1.6) {
        context.rect(px - wide, py - wide, 2 * wide, 2 * wide);
        return;
      }
      context.moveTo(px + wide, py);
      context.arc(px, py, grid ? wide * 0.7 : wide, 0, 2 * Math.PI);
      return;
    case "diamond": {
      const [a, b] = grid ? [wide * 0.62, deep * 0.62] : [wide, Math.max(deep, least)];
      context.moveTo(px, py - b);
      context.lineTo(px + a, py);
      context.lineTo(px, py + b);
      context.lineTo(px - a, py);
      context.closePath();
      return;
    }
    case "triangle":
      context.moveTo(px, py - deep);
      context.lineTo(px + wide, py + deep);
      context.lineTo(px - wide, py + deep);
      context.closePath();
      return;
    case "hexagon":
      for (let corner = 0; corner < 6; corner += 1) {
        const angle = (Math.PI / 3) * corner;
        const point = [px + wide * Math.cos(angle), py + wide * Math.sin(angle)];
        if (corner === 0) context.moveTo(...point);
        else context.lineTo(...point);
      }
      context.closePath();
      return;
    case "plot":
    case "cell":
      context.roundRect(px - wide, py - deep, 2 * wide, 2 * deep, Math.min(8, wide * 0.35, deep * 0.35));
      return;
    default:
      box(context, px, py, wide, deep, node.rot);
  }
}

function box(context, px, py, wide, deep, rot) {
  if (!rot) {
    context.rect(px - wide, py - deep, 2 * wide, 2 * deep);
    return;
  }
  const [cos, sin] = [Math.cos(rot), Math.sin(rot)];
  const corner = (x, y) => [px + x * cos - y * sin, py + x * sin + y * cos];
  context.moveTo(...corner(-wide, -deep));
  context.lineTo(...corner(wide, -deep));
  context.lineTo(...corner(wide, deep));
  context.lineTo(...corner(-wide, deep));
  context.closePath();
}

/** Something that crosses the whole world, like a wave: a band with a bright edge. */
function drawFront(view, { thing, colour }) {
  const { context, camera } = view;
  const { node } = thing;
  const { north, south } = camera.bounds;
  const [px, py] = camera.toPixels(thing.x, downOf(view, thing));
  const wide = half(node.sx || 10, camera.scale, 3);
  const [, top] = camera.toPixels(0, node.sz ? thing.z - node.sz / 2 : north);
  const [, bottom] = camera.toPixels(0, node.sz ? thing.z + node.sz / 2 : south);
  const way = node.x < thing.fromX ? -1 : 1;
  const [tail, head] = [px - way * wide * WAKE, px + way * wide];
  const shade = context.createLinearGradient(tail, py, head, py);
  shade.addColorStop(0, `${colour}00`);
  shade.addColorStop(1, `${colour}cc`);
  context.fillStyle = shade;
  context.fillRect(Math.min(tail, head), top, Math.abs(head - tail), bottom - top);
  context.fillStyle = "#ffffff";
  context.fillRect(head - 1, top, 2, bottom - top);
}

/** Writes names and labels where there is room, players' first: one that would lie on another is left out. */
function drawLabels(view) {
  const { context, camera, theme, look, followed } = view;
  const places = [];
  context.textAlign = "center";
  context.lineJoin = "round";
  context.strokeStyle = theme.halo;
  context.lineWidth = 3;
  for (const { thing, player } of byFollowed(look.bodies, followed)) {
    const [px, py] = camera.toPixels(thing.x, downOf(view, thing));
    const radius = bodyRadius(view, thing.node);
    const name = player?.name ?? thing.node.label ?? thing.node.name;
    context.font = `${player && player.player === followed ? "700 " : ""}12px ${FONT}`;
    const above = py - radius - 11;
    if (name) write(view, places, name, px, above < 7 ? py + radius + 11 : above, theme.ink);
    places.push([px - radius, py - radius, px + radius, py + radius]);
  }
  context.font = `11px ${FONT}`;
  for (const { thing, player } of look.bodies) {
    const { label, name } = thing.node;
    const [px, py] = camera.toPixels(thing.x, downOf(view, thing));
    if (label && label !== name && label !== player?.name) write(view, places, label, px, py + bodyRadius(view, thing.node) + 10, theme.quiet);
  }
  if (camera.width < LABELS_FROM_PX) return;
  for (const thing of look.labelled) {
    const [px, py] = camera.toPixels(thing.x, downOf(view, thing));
    const inside = shapeOf(thing.node) === "plot";
    write(view, places, thing.node.label, px, inside ? py : py + half(thing.node.sz, camera.scale, ITEM_RADIUS_PX) + 8, theme.quiet);
  }
}

function byFollowed(bodies, followed) {
  return followed ? [...bodies].sort((one, other) => (other.player?.player === followed) - (one.player?.player === followed)) : bodies;
}

function write({ context, camera }, places, text, px, py, ink) {
  const shown = text.length > LABEL_MOST ? `${text.slice(0, LABEL_MOST - 1)}…` : text;
  if (px < -40 || py < -10 || px > camera.width + 40 || py > camera.height + 10) return;
  const wide = widthOf(context, shown) / 2 + 2;
  const middle = Math.max(wide, Math.min(camera.width - wide, px));
  const place = [middle - wide, py - 7, middle + wide, py + 7];
  if (places.some((other) => place[0] < other[2] && place[2] > other[0] && place[1] < other[3] && place[3] > other[1])) return;
  places.push(place);
  context.textBaseline = "middle";
  context.strokeText(shown, middle, py);
  context.fillStyle = ink;
  context.fillText(shown, middle, py);
}

/** How wide a text is: measured once for each font. */
function widthOf(context, text) {
  const key = `${context.font} ${text}`;
  let width = WIDTHS.get(key);
  if (width === undefined) {
    if (WIDTHS.size > WIDTHS_MOST) WIDTHS.clear();
    width = context.measureText(text).width;
    WIDTHS.set(key, width);
  }
  return width;
}

function bodyRadius({ camera, grid }, node) {
  return grid ? camera.scale * 0.46 : half(node.sx, camera.scale, camera.width < LABELS_FROM_PX ? PLAYER_RADIUS_PX * 0.6 : PLAYER_RADIUS_PX);
}

function drawBody(view, { thing, player }) {
  const { context, camera, theme, grid } = view;
  const [px, py] = camera.toPixels(thing.x, downOf(view, thing));
  if (px < -60 || py < -60 || px > camera.width + 60 || py > camera.height + 60) return;
  const colour = player ? seatColour(player.seat) : COLOUR.test(thing.node.colour ?? "") ? thing.node.colour : DEFAULT_COLOUR;
  const radius = bodyRadius(view, thing.node);
  const followed = player && player.player === view.followed;
  context.beginPath();
  if (grid) context.roundRect(px - radius, py - radius, 2 * radius, 2 * radius, radius * 0.4);
  else context.arc(px, py, radius, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  context.strokeStyle = followed ? theme.accent : grid ? theme.ink : theme.halo;
  context.lineWidth = followed ? 4 : 2;
  context.stroke();
  if (!player || radius < 5) return;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = `700 ${Math.round(radius * 1.05)}px ${FONT}`;
  context.fillStyle = inkOn(colour);
  context.fillText(String(player.seat), px, py + 0.5);
}
