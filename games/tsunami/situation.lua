-- What one player's situation is: the facts behind both the observation's data and its text, so that the two cannot
-- disagree. Reads the world, changes nothing.

local forecast = require("forecast")
local players = require("players")
local relics = require("relics")
local rules = require("rules")
local wave = require("wave")

local situation = {}

-- A wait ends this long after a wave has: its last tick is over.
local AFTER_WAVE_S = 0.05

-- A plan that begins by waiting where no wave comes: go when this wave, or the next one, has ended.
local function safe_in_s(body, relic, home_x, home_z, speed, wave_s, interval_s)
  if body.x <= rules.WAVE_PASSED_X then
    return nil
  end
  local wait_s = wave_s + rules.WAVE_LASTS_S + AFTER_WAVE_S
  local _, _, spare_s, hit_s =
    forecast.trip(body.x, body.z, relic.x, relic.z, home_x, home_z, speed, wave_s + interval_s - wait_s, interval_s)
  return forecast.is_safe(spare_s, hit_s) and wait_s or nil
end

local function better(a, b)
  if a.rank ~= b.rank then
    return a.rank < b.rank
  end
  return a.value * b.home_s > b.value * a.home_s
end

-- All free relics with what fetching them would mean: first those that are safe, then those that are safe after a
-- wait, then the others; among equals by value per second.
local function prospects(world, body, speed, wave_s, interval_s)
  local home_x, home_z = players.home(body)
  local found = {}
  for i, relic in ipairs(world.state.relics) do
    local walk_s, home_s, spare_s, hit_s =
      forecast.trip(body.x, body.z, relic.x, relic.z, home_x, home_z, speed, wave_s, interval_s)
    local safe = forecast.is_safe(spare_s, hit_s)
    local wait_s = not safe and safe_in_s(body, relic, home_x, home_z, speed, wave_s, interval_s) or nil
    found[i] = {
      rank = safe and 1 or wait_s and 2 or 3,
      id = relic.id,
      zone = relic.zone,
      value = relic.value,
      dx = relic.x - body.x,
      dz = relic.z - body.z,
      distance = relics.distance(relic, body.x, body.z),
      walk_s = walk_s,
      home_s = home_s,
      safe = safe,
      spare_s = spare_s,
      hit_s = hit_s,
      safe_in_s = wait_s,
    }
  end
  table.sort(found, better)
  return found
end

local function others(world, me, body)
  local found = {}
  for _, player in ipairs(world.players) do
    if player.id ~= me.id then
      local their = players.body(world, player)
      local dx, dz = their.x - body.x, their.z - body.z
      found[#found + 1] = {
        id = player.id,
        dx = dx,
        dz = dz,
        distance = math.sqrt(dx * dx + dz * dz),
        carrying = their.carrying,
        income = their.income,
        speed = players.speed(their),
      }
    end
  end
  table.sort(found, function(a, b)
    return a.distance < b.distance
  end)
  return found
end

-- The walk straight home from here, as `prospects` tells of a relic.
local function way_home(body, speed, wave_s, interval_s)
  local home_x, home_z = players.home(body)
  local _, walk_s, spare_s, hit_s =
    forecast.trip(body.x, body.z, body.x, body.z, home_x, home_z, speed, wave_s, interval_s)
  return {
    dx = home_x - body.x,
    dz = home_z - body.z,
    distance = players.distance_home(body),
    walk_s = walk_s,
    safe = forecast.is_safe(spare_s, hit_s),
    spare_s = spare_s,
    hit_s = hit_s,
  }
end

function situation.of(world, player)
  local body = players.body(world, player)
  local speed = players.speed(body)
  local wave_s = wave.starts_in_s(world)
  local interval_s = world.settings.wave_interval_s
  local now = world.state.wave
  return {
    body = body,
    speed = speed,
    next_level = players.next_level(body),
    at_home = players.is_home(body),
    home = way_home(body, speed, wave_s, interval_s),
    walk_left_s = body.walking and players.walk_left_s(body) or nil,
    wave = {
      running = now.running,
      x = now.front,
      starts_in_s = not now.running and wave_s or nil,
      ends_in_s = now.running and wave_s + rules.WAVE_LASTS_S or nil,
      reaches_you_in_s = forecast.stands_until_s(body.x, wave_s, interval_s),
    },
    relics = prospects(world, body, speed, wave_s, interval_s),
    others = others(world, player, body),
  }
end

return situation
