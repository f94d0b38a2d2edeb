-- World: the object `world` that every function of a game gets: its state, its clock, and what it can do.

local import = ...
local blame = import("blame")
local codec = import("codec")
local declared = import("declared")
local effects = import("effects")
local guard = import("guard")
local nearest = import("nearest")
local order = import("order")
local players = import("players")
local random = import("random")
local scene = import("scene")
local text = import("text")
local timers = import("timers")

local world = {}

local type, setmetatable, next = type, setmetatable, next

local MAX_CODE_BYTES = 40
local MAX_REASON_BYTES = 200

-- Codes that mean "refused by the server" (docs/reference/protocol.md): an outcome with one would be misread.
local RESERVED = {}
for code in string.gmatch(
  [[already_acted already_joined draining forbidden game_error hello_required internal invalid_args live_world
  malformed not_joined not_owner not_started not_your_turn overloaded rate_limited seq_conflict tick_out_of_range
  too_large too_late too_many_open too_many_worlds unauthorized unknown_game unknown_input unknown_player unknown_type
  unknown_watch unknown_world world_closed world_damaged world_faulted world_full world_paused world_recovering
  wrong_tick]],
  "%S+"
) do
  RESERVED[code] = true
end

-- Everything but functions that `world.NAME` reads. `state` is the game's, the rest the engine's.
local fields = { state = {}, tick = 0, time = 0, players = players.list, scene = scene.object }
world.fields = fields

local event_fields = {} -- kind → its declared args
local event_kinds = {} -- the same as a sorted list
world.finished = false

-- Players to be sent away when the call is over: {id, message} in the order of the calls, and id → true.
local kicked, is_kicked = {}, {}

function fields.player(id)
  return players.get(id)
end

fields.random, fields.shuffle, fields.stream = random.random, random.shuffle, random.stream
fields.map = codec.map
fields.after, fields.every, fields.cancel = timers.after, timers.every, timers.cancel

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

-- Returns the data as it goes out. Raises unless the event is declared with these args.
local function check_event(kind, data)
  local args = event_fields[kind]
  if not args then
    blame.fail(
      "event " .. text.tostring(kind) .. " is not declared" .. nearest.hint(kind, event_kinds) .. ": add [events."
        .. text.tostring(kind) .. "] to game.toml"
    )
  end
  if data == nil or type(data) == "table" and blame.noun(data) == nil then
    local problem = declared.problem(args, data or {}, "args.")
    if not problem then
      return data ~= nil and next(data) ~= nil and data or nil
    end
    blame.fail("event " .. kind .. ": " .. problem .. " (see [events." .. kind .. "] in game.toml)")
  end
  blame.fail(
    "event " .. kind .. ": its data is a table of the args that [events." .. kind .. "] declares, got " .. type(data)
  )
end

-- world.emit(to, kind, data): an event for a player, a list of players or "all".
function fields.emit(to, kind, data)
  guard.changing("emit")
  data = check_event(kind, data)
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

-- world.kick(player, reason): the player leaves when this call is over, with the reason "kicked"; the first one counts.
-- reason: a text for the agent, or nil.
function fields.kick(player, reason)
  guard.changing("kick")
  local id = players.id(player, "kick")
  if reason ~= nil and (type(reason) ~= "string" or #reason > MAX_REASON_BYTES) then
    blame.fail("kick wants a text of at most " .. MAX_REASON_BYTES .. " bytes second: why, for the agent to read")
  end
  if players.get(id) and not is_kicked[id] then
    is_kicked[id] = true
    kicked[#kicked + 1] = { id = id, message = reason or "" }
  end
end

-- Takes the players who are to be sent away now.
function world.take_kicked()
  local list = kicked
  if #list > 0 then
    kicked, is_kicked = {}, {}
  end
  return list
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
  elseif RESERVED[code] then
    blame.fail("reject cannot use " .. code .. ": it is a code of the server itself; take another, such as my_" .. code)
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

-- Must be called once, before the game runs. settings: name → value. events: the declared kinds, sorted; event_args:
-- kind → its declared args.
function world.open(settings, events, event_args, seed)
  fields.settings = settings
  event_kinds, event_fields = events, event_args
  random.start(seed)
end

-- The clock shows this tick from now on.
function world.set_tick(tick, tick_hz)
  fields.tick = tick
  fields.time = tick / tick_hz
  effects.tick = tick
  timers.tick = tick
end

-- The list of players has changed.
function world.refresh_players()
  fields.players = players.list
end

return world
