-- Host: what Python calls. Each function is one crossing: plain values and blobs in, plain values and blobs out.
-- Nothing a game does raises through these functions, but errors of resources and faults, which end the world.

local import = ...
local calls = import("calls")
local codec = import("codec")
local decode = import("decode")
local effects = import("effects")
local game = import("game")
local limits = import("limits")
local players = import("players")
local random = import("random")
local reading = import("reading")
local sandbox = import("sandbox")
local snapshot = import("snapshot")
local state = import("state")
local store = import("store")
local timers = import("timers")
local world = import("world")

local host = {}

local xpcall, type, rawget, raw_metatable = xpcall, type, rawget, debug.getmetatable
local call, settle, on_error, report_error = calls.call, calls.settle, calls.on_error, calls.report_error

local JOIN, LEAVE, INPUT, SILENCE = 1, 2, 3, 4 -- kinds of entries, as in games/runtime/effects.py
-- A tick that raises is a bug of the game that may pass; this many in a row will not.
local MAX_FAILED_TICKS = 100
-- All that an agent is told: the traceback goes to the developers.
local GAME_ERROR = "the game's own code failed on this input; it is logged for its author"

local tick, tick_hz, dt = 0, 60, 1 / 60
local failed_ticks = 0
local answer = require("string.buffer").new()

local function advance(to)
  tick = to
  world.set_tick(to, tick_hz)
end

local function join(entry)
  local player = players.add(entry[2], entry[3], entry[5])
  world.refresh_players()
  effects.joined(entry[2])
  if not call(game.join, player) then
    report_error("join")
  end
end

local function leave(id, reason, message)
  local player = players.get(id)
  if not call(game.leave, player, reason) then
    report_error("leave")
  end
  players.remove(player)
  world.refresh_players()
  effects.left(id, reason, message)
end

-- Sends those away whom the game has kicked; game.leave may kick more.
local function send_away()
  local list = world.take_kicked()
  while #list > 0 do
    for i = 1, #list do
      if players.get(list[i].id) and not world.finished then
        leave(list[i].id, "kicked", list[i].message)
      end
    end
    list = world.take_kicked()
  end
end

local function report(id, seq, result)
  if type(result) == "table" and raw_metatable(result) == world.rejection then
    effects.outcome(id, seq, "rejected", rawget(result, "code"), rawget(result, "message"), rawget(result, "hint"),
      rawget(result, "result"))
  else
    effects.outcome(id, seq, "applied", nil, nil, nil, result)
  end
end

local function input(entry)
  local id, seq, name = entry[2], entry[3], entry[4]
  local ok, result = call(game.inputs[name], players.get(id), entry[5])
  if ok then
    limits.reset()
    -- A result that cannot be written (a function in it, say) is the game's error too.
    ok, result = settle(xpcall(report, on_error, id, seq, result))
  end
  if not ok then
    report_error("inputs." .. name)
    effects.outcome(id, seq, "rejected", "game_error", GAME_ERROR)
  end
end

-- A player did not act in time: the game's default input is applied for it. Nobody asked, so there is no outcome.
local function silence(entry)
  local ok = call(game.inputs[entry[3]], players.get(entry[2]), entry[4])
  if not ok then
    report_error("inputs." .. entry[3])
  end
end

-- Calls the timers that are due. Returns whether all came through.
local function run_timers(due)
  local fine = true
  for i = 1, #due do
    local name, data = timers.take(due[i])
    if name and not world.finished then
      local f = game.timers[name]
      if f then
        if not call(f, data) then
          report_error("timers." .. name)
          fine = false
        end
      else -- set by an earlier version of the game
        effects.debug("game.timers." .. name .. " is gone: the timer did nothing")
      end
    end
  end
  return fine
end

-- Runs the timers and game.tick. Returns false when the world can go on no longer.
local function run_tick()
  local due = timers.take_due(tick)
  local fine = not due or run_timers(due)
  if not world.finished then
    if not call(game.tick, dt) then
      report_error("tick")
      fine = false
    end
  end
  send_away()
  if fine then
    failed_ticks = 0
    return true
  end
  failed_ticks = failed_ticks + 1
  effects.tick_failed(failed_ticks)
  return failed_ticks < MAX_FAILED_TICKS
end

-- Adds a file of the game. Returns nil or the compiler's message.
function host.add(file, source)
  return sandbox.add(file, source)
end

-- Runs main.lua and checks what it returns. config: inputs, input_args, events, event_args, actions, settings,
-- seed, tick_hz, by_turns. Returns nil or a problem.
function host.load(config)
  config = decode(config)
  tick_hz, dt = config.tick_hz, 1 / config.tick_hz
  world.open(config.settings, config.events, config.event_args, config.seed)
  reading.open(config.input_args, config.inputs, config.actions)
  local ok, returned = settle(xpcall(sandbox.run_main, on_error))
  if not ok then
    return returned
  end
  local problem = game.take(returned, config.inputs, config.actions, config.by_turns)
  if not problem then
    timers.declare(game.timer_names)
  end
  return problem
end

-- Runs a module that main.lua may not have required. Returns nil or a problem.
function host.require(name)
  local ok, problem = settle(xpcall(sandbox.require, on_error, name))
  return not ok and problem or nil
end

-- Runs the game's setup. Returns a problem or nil, then what `apply` returns.
function host.setup()
  sandbox.close()
  local ok, problem = call(game.setup)
  return not ok and problem or nil, effects.take()
end

-- Applies entries in order, then (step) runs one tick. Returns the effects and debug lines as blobs, or nil.
function host.apply(entries, step)
  if step then
    advance(tick + 1)
  end
  local list = decode(entries)
  for i = 1, #list do
    local entry = list[i]
    local kind = entry[1]
    if kind == INPUT then
      input(entry)
    elseif kind == SILENCE then
      silence(entry)
    elseif kind == JOIN then
      join(entry)
    elseif kind == LEAVE then
      leave(entry[2], entry[3])
    end
  end
  if step and not world.finished then
    run_tick()
  else
    send_away()
  end
  return effects.take()
end

-- Runs one tick without entries.
function host.tick()
  advance(tick + 1)
  run_tick()
  return effects.take()
end

-- Runs up to `ticks` ticks without entries: fewer if the world ends. Returns how many, then what `apply` returns.
function host.run(ticks)
  local run = 0
  while run < ticks and not world.finished do
    run = run + 1
    advance(tick + 1)
    if not run_tick() then
      break
    end
  end
  return run, effects.take()
end

-- What is asked without changing anything: see reading.lua.
host.describes, host.offers = reading.describes, reading.offers
host.observe, host.actions, host.view = reading.observe, reading.actions, reading.view
host.to_act = reading.to_act

-- For `games check`: what in the observation of a player does not fit `fields` (a blob), or nil.
function host.misfit(id, fields)
  return reading.misfit(decode(fields), id)
end

-- For checks: world.state and what the nodes carry, as one blob; nil if something in them cannot be written.
host.state = state.encode

-- The whole world between two ticks: returns engine, values (blobs), or nil, path, reason: what cannot be saved.
function host.save()
  return snapshot.take(tick, failed_ticks)
end

-- Instead of `host.setup`: goes on from what `host.save` returned.
function host.restore(engine, values)
  sandbox.close()
  local at
  at, failed_ticks = snapshot.restore(engine, values)
  advance(at)
  -- Lines that modules printed as they were loaded again: they have been reported once.
  effects.take()
end

-- What the fingerprint covers besides the effects: the random streams and the counters of ids, as a blob.
function host.marks()
  answer:reset()
  if timers.next_id > 1 then
    codec.put(answer, { store.next_id, random.states(), timers.next_id })
  else
    codec.put(answer, { store.next_id, random.states() })
  end
  return answer:tostring()
end

-- KiB of Lua memory; collect: of what is in use, without what is only waiting to be collected.
function host.memory(collect)
  if collect then
    collectgarbage("collect")
  end
  return collectgarbage("count")
end

-- nodes, node writes, spatial queries, KiB of Lua memory.
function host.statistics()
  return store.nodes, store.node_writes, store.spatial_queries, collectgarbage("count")
end

sandbox.open(effects.debug)

return host
