-- What spectators see: the land with its 2,000 things, homes, free relics, the wave, players.

local rules = require("rules")

local SIZE = { x = rules.EAST - rules.WEST, z = rules.SOUTH - rules.NORTH }
local CAMERA = { look = "top" }
local SHAPES = { hut = "box", fence = "box", tree = "disc" }
local DETAIL = { "detail" } -- what a small picture leaves out

local function rounded(value)
  return math.floor(value * 10 + 0.5) / 10
end

local function mark(node, label, shape)
  return {
    id = node.id,
    kind = node.kind,
    name = node.name,
    x = rounded(node.x),
    z = rounded(node.z),
    colour = node.colour,
    shape = shape,
    label = label,
  }
end

-- Huts, fences and trees: most of the nodes, and each as little as draws it.
local function add_things(world, nodes)
  local things = world.scene:tagged("land")
  for i = 1, #things do
    local node = things[i]
    local shape = SHAPES[node.kind]
    if shape then
      nodes[#nodes + 1] = {
        id = node.id,
        kind = node.kind,
        x = rounded(node.x),
        z = rounded(node.z),
        sx = node.sx,
        sz = node.sz,
        colour = node.colour,
        shape = shape,
        tags = DETAIL,
      }
    end
  end
end

local function add_players(world, nodes)
  for _, player in ipairs(world.players) do
    local body = world.state.players[player.id]
    local carried = body.carrying
    nodes[#nodes + 1] = mark(body.node, carried and string.format("%s %d", carried.zone, carried.value) or "")
  end
end

local function add_homes(world, nodes)
  local incomes = {}
  for _, player in ipairs(world.players) do
    local body = world.state.players[player.id]
    incomes[body.seat] = string.format("%s: %d/s", player.name, body.income)
  end
  for seat, base in ipairs(world.state.bases) do
    local plot = mark(base, incomes[seat] or "free", "plot")
    plot.sx, plot.sz = base.sx, base.sz
    nodes[#nodes + 1] = plot
  end
end

-- Nodes are in the order in which they should be drawn.
local function view(world)
  local nodes = {}
  add_things(world, nodes)
  for _, place in ipairs(world.scene:tagged("place")) do
    nodes[#nodes + 1] = mark(place, "")
  end
  add_homes(world, nodes)
  for _, relic in ipairs(world.state.relics) do
    nodes[#nodes + 1] = mark(relic.node, string.format("%s %d", relic.zone, relic.value), "diamond")
  end
  local wave = world.state.wave
  if wave.running then
    nodes[#nodes + 1] = mark(wave.node, "", "front")
  end
  add_players(world, nodes)
  return { nodes = nodes, size = SIZE, camera = CAMERA }
end

return view
