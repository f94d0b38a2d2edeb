-- What a player may know, as data: what is near and what matters, relative to where they stand, within 4 KiB of JSON.
-- The fields are declared in game.toml.

local rules = require("rules")
local situation = require("situation")

local RELICS = 10 -- how many relics an observation lists

local function tenths(value)
  return value and math.floor(value * 10 + 0.5) / 10
end

-- Only what is surely there is promised: a span that somebody has is rounded down.
local function tenths_down(value)
  return value and math.floor(value * 10) / 10
end

local function relic_facts(relic)
  return {
    id = relic.id,
    zone = relic.zone,
    value = relic.value,
    dx = tenths(relic.dx),
    dz = tenths(relic.dz),
    distance = tenths(relic.distance),
    walk_s = tenths(relic.walk_s),
    home_s = tenths(relic.home_s),
    safe = relic.safe,
    spare_s = relic.safe and tenths_down(relic.spare_s) or nil,
    hit_s = tenths(relic.hit_s),
    safe_in_s = relic.safe_in_s and math.ceil(relic.safe_in_s * 10) / 10,
  }
end

local function other_facts(other)
  return {
    id = other.id,
    dx = tenths(other.dx),
    dz = tenths(other.dz),
    income = other.income,
    speed = other.speed,
    carrying = other.carrying and other.carrying.zone or nil,
  }
end

local function slot_facts(body)
  local found = {}
  for slot = 1, rules.SLOTS do
    local relic = body.slots[slot]
    if relic then
      found[#found + 1] = { slot = slot, zone = relic.zone, income = relic.income }
    end
  end
  return found
end

local function map_first(list, count, convert)
  local found = {}
  for i = 1, math.min(count, #list) do
    found[i] = convert(list[i])
  end
  return found
end

local function home_facts(home)
  return {
    dx = tenths(home.dx),
    dz = tenths(home.dz),
    distance = tenths(home.distance),
    walk_s = tenths(home.walk_s),
    safe = home.safe,
    spare_s = home.safe and tenths_down(home.spare_s) or nil,
    hit_s = tenths(home.hit_s),
  }
end

local function wave_facts(wave)
  return {
    running = wave.running,
    x = wave.running and tenths(wave.x) or nil,
    starts_in_s = tenths_down(wave.starts_in_s),
    ends_in_s = tenths(wave.ends_in_s),
    reaches_you_in_s = tenths_down(wave.reaches_you_in_s),
  }
end

local function walk_facts(body, left_s)
  local to = body.to ~= "" and body.to or nil
  return { x = tenths(body.to_x), z = tenths(body.to_z), to = to, left_s = tenths(left_s) }
end

-- The observation's data for this player.
local function observe(world, player)
  local seen = situation.of(world, player)
  local body = seen.body
  local next_level = seen.next_level
  local carried = body.carrying
  return {
    you = player.id,
    x = tenths(body.x),
    z = tenths(body.z),
    at_home = seen.at_home,
    home = home_facts(seen.home),
    walking = body.walking and walk_facts(body, seen.walk_left_s) or nil,
    carrying = carried and { id = carried.id, zone = carried.zone, value = carried.value } or nil,
    speed = seen.speed,
    speed_level = body.level,
    next_speed = next_level and next_level.speed or nil,
    next_speed_cost = next_level and next_level.cost or nil,
    coins = body.coins,
    income = body.income,
    slots = slot_facts(body),
    slots_free = rules.SLOTS - body.used,
    wave = wave_facts(seen.wave),
    relics = map_first(seen.relics, RELICS, relic_facts),
    relics_free = #seen.relics,
    players = map_first(seen.others, #seen.others, other_facts),
  }
end

return observe
