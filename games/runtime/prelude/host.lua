-- Host: what Python calls. Each function is one crossing: plain values and blobs in, plain values and blobs out.
-- Nothing a game does raises through these functions, but errors of resources and faults, which end the world.

local import = ...
local blame = import("blame")
local codec = import("codec")
local decode = import("decode")
local effects = import("effects")
local game = import("game")
local guard = import("guard")
local limits = import("limits")
local players = import("players")
local random = import("random")
local sandbox = import("sandbox")
local snapshot = import("snapshot")
local state = import("state")
local store = import("store")
local text = import("text")
local timers = import("timers")
local tree = import("tree")
local view = import("view")
local world = import("world")

local host = {}

local xpcall, error, type, rawget, gsub = xpcall, error, type, rawget, string.gsub
local raw_metatable, traceback = debug.getmetatable, debug.traceback

local JOIN, LEAVE, INPUT = 1, 2, 3 -- kinds of entries, as in games/runtime/effects.py
-- A tick that raises is a bug of the game that may pass; this many in a row will not.
local MAX_FAILED_TICKS = 100
-- All that an agent is told: the traceback goes to the developers.
local GAME_ERROR = "the game's own code failed on this input; it is logged for its author"

local tick, tick_hz, dt = 0, 60, 1 / 60
local failed_ticks = 0
local last_traceback = ""
local answer = require("string.buffer").new()

-- The stack without the engine's own frames.
local function shortened(stack)
  stack = gsub(stack, "\n[^\n]*engine/[^\n]*", "")
  return (gsub(stack, "\n[^\n]*%[C%][^\n]*", ""))
end

local function on_error(problem)
  if blame.is_resource_error(problem) then
    return problem
  end
  local message = text.tostring(problem)
  last_traceback = shortened(traceback(message, 2))
  return message
end

-- Goes on with what xpcall returned. Errors of resources are not the game's to survive: they end the world.
local function settle(ok, result)
  if not ok and blame.is_resource_error(result) then
    error("resource: " .. result, 0)
  end
  return ok, result
end

local function call(f, a, b, c)
  limits.reset()
  return settle(xpcall(f, on_error, world.object, a, b, c))
end

local function fail_game(name, message)
  effects.debug("game." .. name .. " raised: " .. last_traceback)
  return message
end

local function advance(to)
  tick = to
  world.set_tick(to, tick_hz)
end

local function join(entry)
  local player = players.add(entry[2], entry[3], entry[5])
  world.refresh_players()
  effects.joined(entry[2])
  local ok, problem = call(game.join, player)
  if not ok then
    fail_game("join", problem)
  end
end

local function leave(id, reason, message)
  local player = players.get(id)
  local ok, problem = call(game.leave, player, reason)
  if not ok then
    fail_game("leave", problem)
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
    fail_game("inputs." .. name, result)
    effects.outcome(id, seq, "rejected", "game_error", GAME_ERROR)
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
        local ok, problem = call(f, data)
        if not ok then
          fail_game("timers." .. name, problem)
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
    local ok, problem = call(game.tick, dt)
    if not ok then
      fail_game("tick", problem)
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

-- Runs main.lua and checks what it returns. config: inputs, events, event_args, settings,
-- seed, tick_hz. Returns nil or a problem.
function host.load(config)
  config = decode(config)
  tick_hz, dt = config.tick_hz, 1 / config.tick_hz
  world.open(config.settings, config.events, config.event_args, config.seed)
  local ok, returned = settle(xpcall(sandbox.run_main, on_error))
  if not ok then
    return returned
  end
  local problem = game.take(returned, config.inputs)
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

local function look(player, wants_data, wants_text)
  local data, description
  if wants_data then
    local seen = game.observe(world.object, player)
    if type(seen) ~= "table" then
      blame.fail("game.observe must return a table, it returned a " .. type(seen))
    end
    answer:reset()
    codec.put(answer, seen)
    data = answer:tostring()
  end
  if wants_text then
    description = game.describe(world.object, player)
    if type(description) ~= "string" then
      blame.fail("game.describe must return a text, it returned a " .. type(description))
    end
  end
  return { data, description }
end

-- Has the game a text of its own?
function host.describes()
  return game.describe ~= nil
end

-- What a player sees: returns true, data (a blob or nil), text (or nil), or false, message, traceback.
-- compare: also returns the state before and after, where it has changed.
function host.observe(id, wants_data, wants_text, compare)
  limits.reset()
  local before = compare and state.encode()
  guard.enter("observe")
  local ok, result = xpcall(look, on_error, players.get(id), wants_data, wants_text)
  guard.leave()
  settle(ok, result)
  if not ok then
    return false, result, last_traceback
  end
  if before then
    local after = state.encode()
    if after ~= before then
      return true, result[1], result[2], before, after
    end
  end
  return true, result[1], result[2]
end

local function paint()
  answer:reset()
  if not game.view then
    view.put_scene(answer, tree.slots())
    return nil
  end
  local seen = game.view(world.object)
  if type(seen) ~= "table" then
    blame.fail("game.view must return a table, it returned a " .. type(seen))
  end
  codec.put(answer, seen)
  return nil
end

-- What spectators see: returns true, a blob, or false, message, traceback.
function host.view()
  limits.reset()
  guard.enter("view")
  local ok, problem = xpcall(paint, on_error)
  guard.leave()
  settle(ok, problem)
  if not ok then
    return false, problem, last_traceback
  end
  return true, answer:tostring()
end

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

-- nodes, node writes, spatial queries, KiB of Lua memory.
function host.statistics()
  return store.nodes, store.node_writes, store.spatial_queries, collectgarbage("count")
end

sandbox.open(effects.debug)

return host
