-- Timers: functions of game.timers that are called later, by name, so that a snapshot can hold what is still to come.
-- A timer is due at the end of a count of ticks; those of one tick are called in the order in which they were set.
-- Not here: calling them (host.lua does, after a tick's inputs and before game.tick).

local import = ...
local blame = import("blame")
local codec = import("codec")
local guard = import("guard")
local nearest = import("nearest")
local order = import("order")
local text = import("text")

local timers = {}

local type, next, rawset, setmetatable, remove = type, next, rawset, setmetatable, table.remove
local raw_metatable = debug.getmetatable

-- A game that waits for more things at once has lost count of them.
local MAX_TIMERS = 10000
local MAX_TICKS = 9007199254740991
local MAX_DEPTH = 60

timers.next_id = 1
timers.tick = 0 -- the clock of the world

local names = {} -- of the functions in game.timers, sorted
local known = {} -- the same: name → true
local pending, count = {}, 0 -- id → {at, every (ticks or false), name, data}
local due = {} -- tick → ids of the timers due then

-- The game has functions with these names (sorted) in game.timers.
function timers.declare(list)
  names, known = list, {}
  for i = 1, #list do
    known[list[i]] = true
  end
end

local function copied(value, path, depth)
  local kind = type(value)
  if kind ~= "table" then
    if value ~= nil and kind ~= "number" and kind ~= "string" and kind ~= "boolean" then
      blame.fail(path .. " is a " .. kind .. ": a timer keeps numbers, texts, booleans, tables, nodes and players")
    end
    return value
  end
  local metatable = raw_metatable(value)
  local noun = blame.noun(value)
  if noun == "a node" or noun == "a player" then
    return value
  elseif noun or metatable and metatable ~= codec.map_metatable then
    blame.fail(path .. " is " .. (noun or "a table with a metatable") .. ": a timer keeps plain tables")
  elseif depth > MAX_DEPTH then
    blame.fail(path .. " is nested deeper than " .. MAX_DEPTH .. " tables, or contains itself")
  end
  local copy = {}
  for key, inner in next, value do
    rawset(copy, key, copied(inner, path .. "." .. text.tostring(key), depth + 1))
  end
  return metatable and setmetatable(copy, metatable) or copy
end

local function enter(id, at)
  local ids = due[at]
  if ids then
    ids[#ids + 1] = id
  else
    due[at] = { id }
  end
end

local function check_ticks(ticks, name)
  if type(ticks) ~= "number" or ticks % 1 ~= 0 or ticks < 1 or ticks > MAX_TICKS then
    blame.fail(name .. " wants a whole number of ticks, 1 or more, got " .. text.tostring(ticks))
  end
end

local function set(ticks, every, name, data, caller)
  guard.changing(caller)
  check_ticks(ticks, caller)
  if not known[name] then
    local shown = text.tostring(name)
    blame.fail(
      caller .. " wants the name of a function: there is no game.timers." .. shown .. nearest.hint(name, names)
    )
  end
  if count >= MAX_TIMERS then
    blame.fail("a world waits for at most " .. MAX_TIMERS .. " timers")
  end
  local id = timers.next_id
  local timer = { at = timers.tick + ticks, every = every, name = name, data = copied(data, "data", 1) }
  timers.next_id = id + 1
  pending[id] = timer
  count = count + 1
  enter(id, timer.at)
  return id
end

-- `world.after`: calls game.timers[name](world, data) once, so many ticks from now. Returns the timer's id.
function timers.after(ticks, name, data)
  return set(ticks, false, name, data, "after")
end

-- `world.every`: the same, again and again, every so many ticks.
function timers.every(ticks, name, data)
  return set(ticks, ticks, name, data, "every")
end

-- `world.cancel`: the timer with this id is called no more. Returns whether it was still to come.
function timers.cancel(id)
  guard.changing("cancel")
  if type(id) ~= "number" then
    blame.fail("cancel wants the id that after or every returned, got " .. text.tostring(id))
  end
  local timer = pending[id]
  if not timer then
    return false
  end
  pending[id] = nil
  count = count - 1
  local ids = due[timer.at]
  for i = 1, ids and #ids or 0 do
    if ids[i] == id then
      remove(ids, i)
      break
    end
  end
  return true
end

-- Takes the ids that are due at this tick, in order, or nil.
function timers.take_due(tick)
  local ids = due[tick]
  if ids then
    due[tick] = nil
    order.sort_plain(ids, #ids)
  end
  return ids
end

-- Takes a timer that is due: returns its name and data, or nil if it was cancelled meanwhile. One that repeats is set
-- again first, so that it may cancel itself.
function timers.take(id)
  local timer = pending[id]
  if not timer then
    return nil
  end
  if timer.every then
    timer.at = timer.at + timer.every
    enter(id, timer.at)
  else
    pending[id] = nil
    count = count - 1
  end
  return timer.name, timer.data
end

-- What a snapshot holds: {next, list: id → timer}; or nil as long as the world never set one.
function timers.save()
  return timers.next_id > 1 and { next = timers.next_id, list = pending } or nil
end

-- Goes on from what `timers.save` returned.
function timers.restore(saved)
  timers.next_id, pending, count, due = 1, {}, 0, {}
  if saved then
    timers.next_id, pending = saved.next, saved.list
    for id, timer in next, pending do
      count = count + 1
      enter(id, timer.at)
    end
  end
end

return timers
