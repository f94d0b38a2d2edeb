-- World: the object `world` that every function of a game gets: its state, its clock, and what it can do.

local import = ...
local blame = import("blame")
local codec = import("codec")
local effects = import("effects")
local guard = import("guard")
local nearest = import("nearest")
local order = import("order")
local players = import("players")
local random = import("random")
local scene = import("scene")
local text = import("text")

local world = {}

local type, setmetatable, next = type, setmetatable, next

local MAX_CODE_BYTES = 40

-- Everything but functions that `world.NAME` reads. `state` is the game's, the rest the engine's.
local fields = { state = {}, tick = 0, time = 0, players = players.list, scene = scene.object }
world.fields = fields

local declared_events = {} -- kind → true
local event_kinds = {} -- the same as a sorted list
world.finished = false

function fields.player(id)
  return players.get(id)
end

fields.random, fields.shuffle, fields.stream = random.random, random.shuffle, random.stream
fields.map = codec.map

-- world.empty(t): has the table no keys? Cheaper than next(t) == nil.
function fields.empty(t)
  blame.check_plain_table(t, "pairs")
  return next(t) == nil
end

local function receivers(to)
  if to == "all" then
    return nil
  elseif players.is_player(to) then
    return { players.id(to, "emit") }
  elseif type(to) == "table" and (blame.noun(to) == nil or to == players.list) then
    local ids = {}
    for i = 1, #to do
      ids[i] = players.id(to[i], "emit")
    end
    return ids
  end
  blame.fail('emit wants a player, a list of players or "all" first, got a ' .. type(to))
end

-- world.emit(to, kind, data): an event for a player, a list of players or "all".
function fields.emit(to, kind, data)
  guard.changing("emit")
  if not declared_events[kind] then
    blame.fail(
      "event " .. text.tostring(kind) .. " is not declared" .. nearest.hint(kind, event_kinds) .. ": add [events."
        .. text.tostring(kind) .. "] to game.toml"
    )
  end
  local ids = receivers(to)
  if ids == nil or #ids > 0 then
    effects.emitted(ids, kind, data)
  end
end

local function check_finite(value, name)
  if type(value) ~= "number" or value - value ~= 0 then
    blame.fail(name .. " wants a finite number, got " .. text.tostring(value))
  end
end

-- world.score(player, value): the player's score is this now.
function fields.score(player, value)
  guard.changing("score")
  local id = players.id(player, "score")
  check_finite(value, "score")
  if players.set_score(id, value) then
    effects.scored(id, value)
  end
end

-- world.reward(player, x): adds to the player's total reward (which is the score as long as a game never calls this).
function fields.reward(player, amount)
  guard.changing("reward")
  local id = players.id(player, "reward")
  check_finite(amount, "reward")
  if players.get(id) then
    effects.rewarded(id, amount)
  end
end

-- world.out(player, result): the game is over for this player, who stays seated; nothing waits for it any more.
-- The first result counts.
function fields.out(player, result)
  guard.changing("out")
  local id = players.id(player, "out")
  if players.get(id) then
    effects.out(id, result)
  end
end

-- world.finish(result): the world ends after this call. The first result counts.
function fields.finish(result)
  guard.changing("finish")
  if not world.finished then
    effects.finished(result)
    world.finished = true
  end
end

-- world.debug(text): a line for developers.
function fields.debug(line)
  effects.debug(text.tostring(line))
end

world.rejection = { __metatable = false }

-- world.reject(code, message, extra): what an input's function returns when the rules forbid the input.
-- extra.hint goes to the agent as the hint, the rest of extra as the result.
function fields.reject(code, message, extra)
  if type(code) ~= "string" or #code > MAX_CODE_BYTES or not string.find(code, "^[a-z][a-z0-9_]*$") then
    blame.fail("reject wants a code like \"too_far\" first: lower-case letters, digits and _")
  end
  if type(message) ~= "string" then
    blame.fail("reject wants a message second: what is wrong, for the agent to read")
  end
  local hint, result = nil, nil
  if extra ~= nil then
    blame.check_plain_table(extra, "reject")
    hint = extra.hint
    if hint ~= nil and type(hint) ~= "string" then
      blame.fail("reject wants a text as extra.hint")
    end
    for key, value in next, extra do
      if key ~= "hint" then
        result = result or {}
        result[key] = value
      end
    end
  end
  return setmetatable({ code = code, message = message, hint = hint, result = result }, world.rejection)
end

blame.register(world.rejection, "a rejection")

local function field_names()
  local names = {}
  for name in next, fields do
    names[#names + 1] = name
  end
  order.sort_plain(names, #names)
  return names
end

local metatable = {}
blame.register(metatable, "world")
world.object = setmetatable({}, metatable)

function metatable.__newindex(_, key, value)
  if key ~= "state" then
    blame.fail("world." .. text.tostring(key) .. " cannot be set: keep the game's data in world.state")
  end
  guard.changing("writing world.state")
  blame.check_plain_table(value, "world.state")
  fields.state = value
end

-- Reading what is there must stay a plain table lookup; only what is missing comes to a function.
metatable.__index = setmetatable(fields, {
  __index = function(_, key)
    blame.fail("world has no " .. text.tostring(key) .. nearest.hint(key, field_names()))
  end,
})

-- Must be called once, before the game runs. settings: name → value. events: the declared kinds, sorted.
function world.open(settings, events, seed)
  fields.settings = settings
  event_kinds = events
  for i = 1, #events do
    declared_events[events[i]] = true
  end
  random.start(seed)
end

-- The clock shows this tick from now on.
function world.set_tick(tick, tick_hz)
  fields.tick = tick
  fields.time = tick / tick_hz
  effects.tick = tick
end

-- The list of players has changed.
function world.refresh_players()
  fields.players = players.list
end

return world
