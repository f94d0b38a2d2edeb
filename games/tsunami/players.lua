-- Players: their bodies, walks, homes and coins. state.players[id] is a body:
-- { seat, x, z, walking, to_x, to_z, to, level, coins, income, earned, carrying, slots, used, node }.
-- `to` names what a walk goes to ("" for a point); `carrying` is false or { id, zone, value };
-- slots is a list of 10, each false or { zone, value, income, node }.

local land = require("land")
local relics = require("relics")
local rules = require("rules")

local players = {}

local HZ = rules.TICK_HZ
local INCOME_EVENT_TICKS = 10 * HZ

function players.setup(world)
  world.state.players = {}
  local homes = world.scene:spawn("homes", { name = "homes" })
  world.state.bases = {}
  for seat = 1, #rules.SEAT_COLOURS do
    world.state.bases[seat] = world.scene:spawn("base", {
      name = "home " .. seat,
      x = rules.BASE_X,
      z = rules.base_z(seat),
      sx = 2 * rules.BASE_HALF_X,
      sy = 0.5,
      sz = 2 * rules.BASE_HALF_Z,
      colour = rules.SEAT_COLOURS[seat],
    }, homes)
  end
end

function players.body(world, player)
  return world.state.players[player.id]
end

function players.speed(body)
  return rules.SPEEDS[body.level].speed
end

-- The level after this one, or nil at the top.
function players.next_level(body)
  return rules.SPEEDS[body.level + 1]
end

function players.home(body)
  return rules.BASE_X, rules.base_z(body.seat)
end

function players.is_home(body)
  local x, z = players.home(body)
  return math.abs(body.x - x) <= rules.BASE_HALF_X and math.abs(body.z - z) <= rules.BASE_HALF_Z
end

-- How long the walk under way still takes.
function players.walk_left_s(body)
  local dx, dz = body.to_x - body.x, body.to_z - body.z
  return math.sqrt(dx * dx + dz * dz) / players.speed(body)
end

function players.distance_home(body)
  local x, z = players.home(body)
  local dx, dz = x - body.x, z - body.z
  return math.sqrt(dx * dx + dz * dz)
end

function players.join(world, player)
  local x, z = rules.BASE_X, rules.base_z(player.seat)
  local body = {
    seat = player.seat,
    x = x,
    z = z,
    walking = false,
    to_x = x,
    to_z = z,
    to = "",
    level = 1,
    coins = 0,
    income = 0,
    earned = 0,
    carrying = false,
    slots = {},
    used = 0,
    node = world.scene:spawn("player", {
      name = player.name,
      x = x,
      z = z,
      sx = 2,
      sy = 5,
      sz = 2,
      colour = rules.SEAT_COLOURS[player.seat],
      tags = { "player" },
    }),
  }
  for slot = 1, rules.SLOTS do
    body.slots[slot] = false
  end
  world.state.players[player.id] = body
  world.score(player, 0)
end

-- What a leaver carried stays where they stood, for anyone; what they owned goes.
function players.leave(world, player)
  local body = players.body(world, player)
  if body.carrying then
    relics.drop(world, body.carrying, body.x, body.z)
  end
  for slot = 1, rules.SLOTS do
    if body.slots[slot] then
      body.slots[slot].node:destroy()
    end
  end
  body.node:destroy()
  world.state.players[player.id] = nil
end

-- Starts a walk; `to` is a relic's id, "home", or "" for a point.
function players.walk(body, x, z, to)
  body.walking = true
  body.to_x, body.to_z, body.to = x, z, to
end

function players.stop(body)
  body.walking = false
  body.to = ""
end

local function arrive(world, player, body)
  local to = body.to ~= "" and body.to or nil
  players.stop(body)
  world.emit(player, "arrived", { x = body.x, z = body.z, to = to })
end

local function step_walk(world, player, body)
  local dx, dz = body.to_x - body.x, body.to_z - body.z
  local distance = math.sqrt(dx * dx + dz * dz)
  local stride = players.speed(body) / HZ
  -- The tolerance is for what adding many strides rounds away: a walk of 7.5 s takes 450 ticks, not 451.
  local arrived = distance <= stride + 1e-6
  if arrived then
    body.x, body.z = body.to_x, body.to_z
  else
    body.x = body.x + dx * stride / distance
    body.z = body.z + dz * stride / distance
  end
  local node = body.node
  node.x = body.x
  node.z = body.z
  if body.x < rules.WAVE_TO then
    land.trample(world, body.x, body.z)
  end
  if arrived then
    arrive(world, player, body)
  end
end

-- Relics pay once a second; seats take turns within it, so that no tick pays everybody.
local function step_income(world, player, body)
  local phase = world.tick + 7 * body.seat
  if phase % HZ == 0 then
    body.coins = body.coins + body.income
    body.earned = body.earned + body.income
  end
  if phase % INCOME_EVENT_TICKS == 0 and body.earned > 0 then
    world.emit(player, "income", { coins = body.earned, total = body.coins })
    body.earned = 0
  end
end

function players.step(world)
  for _, player in ipairs(world.players) do
    local body = players.body(world, player)
    if body.walking then
      step_walk(world, player, body)
    end
    if body.income > 0 then
      step_income(world, player, body)
    end
  end
end

-- A free relic goes into these hands. Whoever was walking to it is told that it is gone, and stops.
function players.collect(world, player, body, relic)
  body.carrying = relics.take(world, relic)
  world.emit(player, "collected", { relic = relic.id, zone = relic.zone, value = relic.value })
  for _, other in ipairs(world.players) do
    local their = players.body(world, other)
    if other.id ~= player.id and their.walking and their.to == relic.id then
      players.stop(their)
      world.emit(other, "missed", { relic = relic.id, by = player.id })
    end
  end
end

local function count_income(world, player, body)
  local income, used = 0, 0
  for slot = 1, rules.SLOTS do
    if body.slots[slot] then
      income = income + body.slots[slot].income
      used = used + 1
    end
  end
  body.income, body.used = income, used
  world.score(player, income)
end

-- The first free slot, or nil.
function players.free_slot(body)
  for slot = 1, rules.SLOTS do
    if not body.slots[slot] then
      return slot
    end
  end
  return nil
end

function players.deposit(world, player, body, slot)
  local carried = body.carrying
  local home_x, home_z = players.home(body)
  body.carrying = false
  body.slots[slot] = {
    zone = carried.zone,
    value = carried.value,
    income = carried.value / rules.INCOME_SHARE,
    node = world.scene:spawn("trophy", {
      name = carried.id,
      x = home_x - 12 + 6 * ((slot - 1) % 5),
      z = home_z - 5 + 10 * math.floor((slot - 1) / 5),
      sx = 2,
      sy = 2,
      sz = 2,
      colour = rules.ZONE_COLOURS[carried.zone],
    }, world.state.bases[body.seat]),
  }
  count_income(world, player, body)
  world.emit(player, "deposited", { slot = slot, value = carried.value, income = body.income })
end

function players.discard(world, player, body, slot)
  local relic = body.slots[slot]
  relic.node:destroy()
  body.slots[slot] = false
  count_income(world, player, body)
  return relic
end

-- The wave has this player: what they carry stays here, they are home at once.
function players.wash_home(world, player, body)
  local x, z = body.x, body.z
  world.emit(player, "hit_by_wave", { x = x, z = z })
  if body.carrying then
    local lost = body.carrying
    relics.drop(world, lost, x, z)
    world.emit(player, "dropped", { relic = lost.id, value = lost.value, x = x, z = z })
    body.carrying = false
  end
  body.x, body.z = players.home(body)
  players.stop(body)
  body.node:set({ x = body.x, z = body.z })
end

return players
