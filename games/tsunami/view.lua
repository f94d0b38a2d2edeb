-- What spectators see: players, free relics, the wave, homes, and villages and groves for the 2,000 things around them.

local rules = require("rules")

local SIZE = { x = rules.EAST - rules.WEST, z = rules.SOUTH - rules.NORTH }

local function mark(node, label)
  return {
    id = node.id,
    kind = node.kind,
    name = node.name,
    x = math.floor(node.x * 10 + 0.5) / 10,
    z = math.floor(node.z * 10 + 0.5) / 10,
    colour = node.colour,
    label = label,
  }
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
    nodes[#nodes + 1] = mark(base, incomes[seat] or "free")
  end
end

-- Where a wave is { nodes, size, wave }: nodes in the order in which they should be drawn.
local function view(world)
  local nodes = {}
  for _, place in ipairs(world.scene:tagged("place")) do
    nodes[#nodes + 1] = mark(place, "")
  end
  add_homes(world, nodes)
  for _, relic in ipairs(world.state.relics) do
    nodes[#nodes + 1] = mark(relic.node, string.format("%s %d", relic.zone, relic.value))
  end
  local wave = world.state.wave
  if wave.running then
    nodes[#nodes + 1] = mark(wave.node, "")
  end
  add_players(world, nodes)
  return { nodes = nodes, size = SIZE }
end

return view
