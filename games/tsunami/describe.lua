-- What a player may know, as text for a language model: at most 1,200 characters, distances and times relative to
-- where they stand. The same facts as the data, from the same `situation`.

local rules = require("rules")
local situation = require("situation")

local LIMIT = 1200
local RELICS, OTHERS = 5, 3 -- how many are told of, at most

local function whole(value)
  return string.format("%d", math.floor(value + 0.5))
end

local function relative(dx, dz)
  local parts = {}
  local east, south = math.floor(dx + 0.5), math.floor(dz + 0.5)
  if east ~= 0 then
    parts[#parts + 1] = string.format("%d %s", math.abs(east), east > 0 and "east" or "west")
  end
  if south ~= 0 then
    parts[#parts + 1] = string.format("%d %s", math.abs(south), south > 0 and "south" or "north")
  end
  return #parts > 0 and table.concat(parts, " ") or "right here"
end

-- How a trip that is over at home_s ends: what the wave does, and whether it is safe.
local function verdict(trip)
  if trip.hit_s then
    return string.format("the wave has you at %s s, NOT safe", whole(trip.hit_s))
  elseif not trip.safe then
    return string.format("home at %s s with %.1f s to spare, NOT safe", whole(trip.home_s), trip.spare_s)
  end
  return string.format("home at %s s, safe", whole(trip.home_s))
end

local function relic_text(relic)
  local text = string.format(
    "%s %s %d, %s: walk %s s, %s",
    relic.id,
    relic.zone,
    relic.value,
    relative(relic.dx, relic.dz),
    whole(relic.walk_s),
    verdict(relic)
  )
  if relic.safe_in_s then
    text = text .. string.format(" now, safe in %d s", math.ceil(relic.safe_in_s))
  elseif relic.safe and relic.spare_s then
    text = text .. string.format(" by %d s", math.floor(relic.spare_s))
  end
  return text
end

local function coins_text(seen)
  local coins, level = whole(seen.body.coins), seen.next_level
  if not level then
    return coins .. " coins, top speed"
  elseif seen.body.coins >= level.cost then
    return string.format("%s coins: buy_speed (%d) gives %d units/s", coins, level.cost, level.speed)
  end
  return string.format("%s coins, buy_speed costs %d for %d units/s", coins, level.cost, level.speed)
end

local function you_line(world, player, seen)
  local body = seen.body
  local home = seen.at_home and "at home" or "home " .. relative(seen.home.dx, seen.home.dz)
  local carried = body.carrying
  local parts = {
    "tick " .. whole(world.tick),
    string.format("you %s at (%s,%s), %s", player.id, whole(body.x), whole(body.z), home),
    carried and string.format("carrying %s %s %d", carried.id, carried.zone, carried.value) or "carrying nothing",
    string.format("speed %d units/s", seen.speed),
    string.format("income %s coins/s", whole(body.income)),
    coins_text(seen),
  }
  if body.walking then
    local to = body.to ~= "" and body.to or string.format("(%s,%s)", whole(body.to_x), whole(body.to_z))
    table.insert(parts, 3, string.format("walking to %s, there in %s s", to, whole(seen.walk_left_s)))
  end
  if body.used > 0 then
    parts[#parts + 1] = string.format("%d of %d slots used", body.used, rules.SLOTS)
  end
  return table.concat(parts, " · ")
end

local function wave_text(wave)
  local text
  if wave.running then
    text = string.format("wave: at x=%s, %d/s, ends in %s s", whole(wave.x), rules.WAVE_SPEED, whole(wave.ends_in_s))
  else
    local start_s = whole(wave.starts_in_s)
    text = string.format("wave: starts in %s s at x=%d, %d/s", start_s, rules.WAVE_FROM, rules.WAVE_SPEED)
  end
  if wave.reaches_you_in_s then
    return text .. string.format(", reaches this place in %d s", math.floor(wave.reaches_you_in_s))
  end
  return text
end

local function home_text(home)
  if home.hit_s then
    return string.format("home: walk %s s, the wave has you at %s s, NOT safe", whole(home.walk_s), whole(home.hit_s))
  elseif not home.safe then
    return string.format("home: walk %s s with %.1f s to spare, NOT safe", whole(home.walk_s), home.spare_s)
  end
  local spare = home.spare_s and string.format(" by %d s", math.floor(home.spare_s)) or ""
  return string.format("home: walk %s s, safe%s", whole(home.walk_s), spare)
end

local function other_text(other)
  local carried = other.carrying and string.format(" with %s %d", other.carrying.zone, other.carrying.value) or ""
  return string.format("%s %s%s, income %s", other.id, relative(other.dx, other.dz), carried, whole(other.income))
end

-- Appends `part` to `text` if it stays within the limit.
local function add(text, separator, part)
  local longer = text .. separator .. part
  return #longer <= LIMIT and longer or text
end

-- The observation's text for this player.
local function describe(world, player)
  local seen = situation.of(world, player)
  local text = you_line(world, player, seen) .. "\n" .. wave_text(seen.wave)
  if seen.wave.reaches_you_in_s then
    text = add(text, " · ", home_text(seen.home))
  end
  for i = 1, math.min(RELICS, #seen.relics) do
    text = add(text, i == 1 and " · relics: " or " · ", relic_text(seen.relics[i]))
  end
  if #seen.relics > RELICS then
    text = add(text, " · ", string.format("%d more", #seen.relics - RELICS))
  end
  for i = 1, math.min(OTHERS, #seen.others) do
    text = add(text, i == 1 and "\nothers: " or " · ", other_text(seen.others[i]))
  end
  return text
end

return describe
