-- The five things a player can do. Each returns what came of it, or a rejection: a code of its own, what is the matter,
-- and in `hint` what to do next.

local forecast = require("forecast")
local players = require("players")
local relics = require("relics")
local rules = require("rules")
local wave = require("wave")

local inputs = {}

local function tenths(value)
  return math.floor(value * 10 + 0.5) / 10
end

local function plural(count, noun)
  return string.format("%d %s%s", count, noun, count == 1 and "" or "s")
end

-- A sentence that names a relic one can walk to.
local function hint_nearest(world, body)
  local relic, distance = relics.nearest(world, body.x, body.z)
  if not relic then
    return "no relic lies free; one appears every 1.5 s: observe again"
  end
  return string.format("the nearest is %s, %d away: move {to: \"%s\"}", relic.id, math.ceil(distance), relic.id)
end

-- Where a move goes: x, z, name; or a rejection.
local function destination(world, body, args)
  if args.to == nil then
    if args.x == nil or args.z == nil then
      local hint = "move {to: \"home\"} or move {x: 400, z: 0}"
      return world.reject("no_target", "A move needs x and z, or to.", { hint = hint })
    end
    return nil, args.x, args.z, ""
  end
  if args.x ~= nil or args.z ~= nil then
    return world.reject("two_targets", "A move has either x and z, or to.", { hint = "leave out x and z" })
  end
  if args.to == "home" then
    local x, z = players.home(body)
    return nil, x, z, "home"
  end
  local relic = relics.find(world, args.to)
  if not relic then
    local message = "No free relic is called " .. args.to .. "."
    return world.reject("unknown_target", message, { hint = hint_nearest(world, body) })
  end
  return nil, relic.x, relic.z, relic.id
end

function inputs.move(world, player, args)
  local body = players.body(world, player)
  local rejection, x, z, to = destination(world, body, args)
  if rejection then
    return rejection
  end
  local home_x, home_z = players.home(body)
  local walk_s, _, spare_s, hit_s = forecast.trip(
    body.x,
    body.z,
    x,
    z,
    home_x,
    home_z,
    players.speed(body),
    wave.starts_in_s(world),
    world.settings.wave_interval_s
  )
  players.walk(body, x, z, to)
  return {
    x = tenths(x),
    z = tenths(z),
    walk_s = tenths(walk_s),
    safe = forecast.is_safe(spare_s, hit_s),
    hit_s = hit_s and tenths(hit_s) or nil,
  }
end

-- The relic that a collect means, or a rejection.
local function wanted(world, body, id)
  if id == nil then
    local relic = relics.best_in_reach(world, body.x, body.z)
    if not relic then
      local message = string.format("No relic lies within %d units.", rules.REACH)
      return world.reject("no_relic_here", message, { hint = hint_nearest(world, body) })
    end
    return nil, relic
  end
  local relic = relics.find(world, id)
  if not relic then
    return world.reject("relic_gone", "No free relic is called " .. id .. ".", { hint = hint_nearest(world, body) })
  end
  local distance = relics.distance(relic, body.x, body.z)
  if distance > rules.REACH then
    local message = string.format("%s is %.1f away; you reach %d.", id, distance, rules.REACH)
    return world.reject("out_of_reach", message, {
      hint = string.format("move {to: \"%s\"}, a walk of %.1f s", id, distance / players.speed(body)),
      distance = tenths(distance),
    })
  end
  return nil, relic
end

function inputs.collect(world, player, args)
  local body = players.body(world, player)
  if body.carrying then
    local message = string.format("You carry %s already.", body.carrying.id)
    return world.reject("hands_full", message, { hint = "move {to: \"home\"}, then deposit" })
  end
  local rejection, relic = wanted(world, body, args.relic)
  if rejection then
    return rejection
  end
  players.collect(world, player, body, relic)
  local home_s = players.distance_home(body) / players.speed(body)
  return { relic = relic.id, zone = relic.zone, value = relic.value, home_s = tenths(home_s) }
end

-- Which slot to give up for something better: the one that pays least.
local function poorest_slot(body)
  local poorest = 1
  for slot = 2, rules.SLOTS do
    if body.slots[slot].income < body.slots[poorest].income then
      poorest = slot
    end
  end
  return poorest
end

function inputs.deposit(world, player)
  local body = players.body(world, player)
  local carried = body.carrying
  if not carried then
    local hint = "collect a relic first; " .. hint_nearest(world, body)
    return world.reject("nothing_to_deposit", "You carry nothing.", { hint = hint })
  end
  if not players.is_home(body) then
    local distance = players.distance_home(body)
    return world.reject("not_home", string.format("You are %d away from home.", math.ceil(distance)), {
      hint = string.format("move {to: \"home\"}, a walk of %.1f s", distance / players.speed(body)),
      distance = tenths(distance),
    })
  end
  local slot = players.free_slot(body)
  if not slot then
    local poorest = poorest_slot(body)
    local pays = body.slots[poorest].income
    return world.reject("slots_full", string.format("All %d slots are taken.", rules.SLOTS), {
      hint = string.format("discard {slot: %d} (it pays %d a second), then deposit", poorest, pays),
      slot = poorest,
    })
  end
  players.deposit(world, player, body, slot)
  return { slot = slot, value = carried.value, income = body.income }
end

function inputs.buy_speed(world, player)
  local body = players.body(world, player)
  local level = players.next_level(body)
  if not level then
    local message = string.format("You have the highest speed, %d.", players.speed(body))
    return world.reject("top_speed", message, { hint = "coins have no other use: fetch better relics" })
  end
  local short = level.cost - body.coins
  if short > 0 then
    local wait_s = body.income > 0 and math.ceil(short / body.income) or nil
    local hint = wait_s and string.format("at %d a second that takes %s", body.income, plural(wait_s, "second"))
      or "deposit a relic: it pays every second"
    local message = string.format("The next speed costs %d and you have %d.", level.cost, math.floor(body.coins))
    return world.reject("too_few_coins", message, { hint = hint, short = short, wait_s = wait_s })
  end
  body.coins = body.coins - level.cost
  body.level = body.level + 1
  return { level = body.level, speed = level.speed, paid = level.cost, coins = body.coins }
end

function inputs.discard(world, player, args)
  local body = players.body(world, player)
  if not body.slots[args.slot] then
    local used = {}
    for slot = 1, rules.SLOTS do
      if body.slots[slot] then
        used[#used + 1] = tostring(slot)
      end
    end
    local taken = "taken slots: " .. table.concat(used, ", ")
    local hint = #used > 0 and taken or "all your slots are empty: deposit a relic"
    return world.reject("slot_empty", string.format("Slot %d is empty.", args.slot), { hint = hint })
  end
  local relic = players.discard(world, player, body, args.slot)
  return { slot = args.slot, value = relic.value, income = body.income }
end

return inputs
