-- The wave: when it starts, where its front is, what it does to the land and to players. One wave at a time: the
-- manifest allows no interval shorter than a wave lasts.
-- state.wave = { running, front, started_tick, next_tick, rebuilding, rebuild_front, rebuild_tick, node }.
-- A world begins in the wake of a wave: with tick 0 the land begins to be rebuilt.

local land = require("land")
local players = require("players")
local rules = require("rules")

local wave = {}

local HZ = rules.TICK_HZ
local STEP = rules.WAVE_SPEED / HZ

local function interval_ticks(world)
  return math.floor(world.settings.wave_interval_s * HZ + 0.5)
end

function wave.setup(world)
  world.state.wave = {
    running = false,
    front = rules.WAVE_FROM,
    started_tick = 0,
    next_tick = interval_ticks(world),
    rebuilding = true,
    rebuild_front = rules.WAVE_FROM,
    rebuild_tick = 0,
    node = world.scene:spawn("wave", {
      name = "wave",
      x = rules.WAVE_FROM,
      z = 0,
      sx = 2 * rules.WAVE_REACH,
      sy = 0,
      sz = rules.SOUTH - rules.NORTH,
      colour = "#3aa7d8",
    }),
  }
end

-- Seconds from now to the start of the running wave (negative) or of the next one.
function wave.starts_in_s(world)
  local now = world.state.wave
  local tick = now.running and now.started_tick or now.next_tick
  return (tick - world.tick) / HZ
end

local function start(world, now)
  now.running = true
  now.front = rules.WAVE_FROM
  now.started_tick = world.tick
  now.next_tick = world.tick + interval_ticks(world)
  now.node:set({ x = now.front, sy = 15 })
  world.emit("all", "wave_started", { x = now.front, speed = rules.WAVE_SPEED, ends_in_s = rules.WAVE_LASTS_S })
end

-- Players within reach of the front lose what they carry and are sent home.
local function hit_players(world, front)
  for _, player in ipairs(world.players) do
    local body = world.state.players[player.id]
    if body.x < rules.SAFE_X and math.abs(body.x - front) <= rules.WAVE_REACH then
      players.wash_home(world, player, body)
    end
  end
end

-- In the tick in which the front would pass the end the wave is over, and hits nobody any more.
local function advance(world, now)
  local from_x = now.front
  local to_x = rules.WAVE_FROM + STEP * (world.tick - now.started_tick)
  if to_x > rules.WAVE_TO then
    land.flatten(world, from_x, rules.WAVE_TO)
    now.running = false
    now.node:set({ x = rules.WAVE_FROM, sy = 0 })
    return
  end
  now.front = to_x
  now.node.x = to_x
  land.flatten(world, from_x, to_x)
  hit_players(world, to_x)
end

-- The land is rebuilt by a front that follows at the wave's own speed.
local function rebuild(world, now)
  local from_x = now.rebuild_front
  now.rebuild_front = math.min(rules.WAVE_TO, rules.WAVE_FROM + STEP * (world.tick - now.rebuild_tick))
  land.raise(world, from_x, now.rebuild_front)
  if now.rebuild_front >= rules.WAVE_TO then
    now.rebuilding = false
  end
end

-- One tick of the wave. Players have moved before it.
function wave.step(world)
  local now = world.state.wave
  local tick = world.tick
  if tick >= now.next_tick then
    start(world, now)
  elseif tick == now.next_tick - math.floor(world.settings.wave_warning_s * HZ + 0.5) then
    world.emit("all", "wave_warning", { starts_in_s = world.settings.wave_warning_s })
  end
  if now.running then
    advance(world, now)
  end
  if now.rebuilding then
    rebuild(world, now)
  elseif now.started_tick > 0 and tick == now.started_tick + rules.REBUILD_AFTER_TICKS then
    now.rebuilding, now.rebuild_tick, now.rebuild_front = true, tick, rules.WAVE_FROM
  end
end

return wave
