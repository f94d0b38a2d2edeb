-- Relics that lie free: where they appear, which one is meant, who takes them. state.relics is the list of them,
-- oldest first: { id, zone, value, x, z, node }. A relic that is carried or in a slot is not in it.

local rules = require("rules")

local relics = {}

local function lay(world, id, zone, value, x, z)
  local node = world.scene:spawn("relic", {
    name = id,
    x = x,
    z = z,
    sx = 2,
    sy = 2,
    sz = 2,
    colour = rules.ZONE_COLOURS[zone],
    tags = { "relic" },
  })
  local free = world.state.relics
  free[#free + 1] = { id = id, zone = zone, value = value, x = x, z = z, node = node }
end

local function pick_zone(world)
  local left = world.random() * rules.ZONE_WEIGHT_SUM
  for _, zone in ipairs(rules.ZONES) do
    left = left - zone.weight
    if left < 0 then
      return zone
    end
  end
  return rules.ZONES[1]
end

-- A new relic in a zone chosen by weight, at whole coordinates clear of the zone's edges.
function relics.appear(world)
  local zone = pick_zone(world)
  local x = world.random(zone.from + rules.RELIC_EDGE, zone.to - rules.RELIC_EDGE)
  local z = world.random(rules.NORTH + rules.RELIC_EDGE, rules.SOUTH - rules.RELIC_EDGE)
  local state = world.state
  state.relics_made = state.relics_made + 1
  lay(world, string.format("r%02d", state.relics_made), zone.name, zone.value, x, z)
end

function relics.setup(world)
  world.state.relics = {}
  world.state.relics_made = 0
  for _ = 1, math.min(rules.RELICS_AT_START, world.settings.relic_limit) do
    relics.appear(world)
  end
end

function relics.step(world)
  if world.tick % rules.RELIC_EVERY_TICKS == 0 and #world.state.relics < world.settings.relic_limit then
    relics.appear(world)
  end
end

-- The free relic of that id, or nil.
function relics.find(world, id)
  for _, relic in ipairs(world.state.relics) do
    if relic.id == id then
      return relic
    end
  end
  return nil
end

function relics.distance(relic, x, z)
  local dx, dz = relic.x - x, relic.z - z
  return math.sqrt(dx * dx + dz * dz)
end

-- The nearest free relic and its distance; nil when none lies free.
function relics.nearest(world, x, z)
  local best, best_distance
  for _, relic in ipairs(world.state.relics) do
    local distance = relics.distance(relic, x, z)
    if best_distance == nil or distance < best_distance then
      best, best_distance = relic, distance
    end
  end
  return best, best_distance
end

-- The most valuable free relic within reach (of equals the oldest), or nil.
function relics.best_in_reach(world, x, z)
  local best
  for _, relic in ipairs(world.state.relics) do
    if relics.distance(relic, x, z) <= rules.REACH and (best == nil or relic.value > best.value) then
      best = relic
    end
  end
  return best
end

-- Takes a free relic off the land; what comes back is what its carrier holds.
function relics.take(world, relic)
  local free = world.state.relics
  for i = 1, #free do
    if free[i].id == relic.id then
      table.remove(free, i)
      break
    end
  end
  relic.node:destroy()
  return { id = relic.id, zone = relic.zone, value = relic.value }
end

-- Lays what somebody carried on the land again.
function relics.drop(world, carried, x, z)
  lay(world, carried.id, carried.zone, carried.value, x, z)
end

return relics
