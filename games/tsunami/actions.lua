-- What a player can do now, for agents that want a list to choose from. Each of these is accepted if it comes before
-- the next tick changes things; other moves are, too: to any point, and to any free relic.

local players = require("players")
local relics = require("relics")
local rules = require("rules")

local function add(list, name, args, why)
  list[#list + 1] = { name = name, args = args, why = why }
end

local function add_moves(list, world, body)
  if not players.is_home(body) then
    add(list, "move", { to = "home" }, string.format("%d away", math.ceil(players.distance_home(body))))
  end
  local relic, distance = relics.nearest(world, body.x, body.z)
  if relic and not body.carrying then
    local why = string.format("the nearest relic, %s, %d away", relic.zone, math.ceil(distance))
    add(list, "move", { to = relic.id }, why)
  end
end

-- The used slot that pays least, with what it pays, or nil.
local function poorest(body)
  local found
  for slot = 1, rules.SLOTS do
    local relic = body.slots[slot]
    if relic and (not found or relic.income < body.slots[found].income) then
      found = slot
    end
  end
  return found, found and body.slots[found].income
end

-- The inputs that would be accepted from this player now.
local function actions(world, player)
  local body, list = players.body(world, player), {}
  local here = not body.carrying and relics.best_in_reach(world, body.x, body.z)
  if here then
    add(list, "collect", { relic = here.id }, string.format("%s %d, within reach", here.zone, here.value))
  end
  if body.carrying and players.is_home(body) and players.free_slot(body) then
    add(list, "deposit", nil, string.format("pays %d a second", body.carrying.value / 10))
  end
  local level = players.next_level(body)
  if level and body.coins >= level.cost then
    add(list, "buy_speed", nil, string.format("%d units/s for %d coins", level.speed, level.cost))
  end
  add_moves(list, world, body)
  local slot, income = poorest(body)
  if slot then
    add(list, "discard", { slot = slot }, string.format("pays %d a second, least of all", income))
  end
  return list
end

return actions
