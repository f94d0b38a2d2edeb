-- Reading: what the game says about a world without changing it: observations, offered actions, what spectators see.
-- While one of these runs every mutator raises; on demand the state is compared before and after.
-- Each function returns true and its answer, or false, a message and a traceback; where the state was compared and has
-- changed, it before and after come last.

local import = ...
local blame = import("blame")
local calls = import("calls")
local codec = import("codec")
local declared = import("declared")
local game = import("game")
local guard = import("guard")
local limits = import("limits")
local nearest = import("nearest")
local players = import("players")
local state = import("state")
local tree = import("tree")
local view = import("view")
local world = import("world")

local reading = {}

local type, rawget, next, xpcall = type, rawget, next, xpcall
local on_error, settle = calls.on_error, calls.settle

-- More than this an agent cannot weigh, and its observation should stay small.
local MAX_ACTIONS = 100
local MAX_WHY_BYTES = 200

local answer = require("string.buffer").new()
local inputs, input_names = {}, {} -- name → declared args; the names sorted
local actions = "names" -- what game.toml says: off, names or full

-- What game.toml declares: input_args: name → args; names: sorted; mode: off, names or full.
function reading.open(input_args, names, mode)
  inputs, input_names, actions = input_args, names, mode
end

-- Calls f(…) so that it can only read.
local function look(name, compare, f, a, b, c)
  limits.reset()
  local before = compare and state.encode()
  guard.enter(name)
  local ok, result = settle(xpcall(f, on_error, a, b, c))
  guard.leave()
  if not ok then
    return false, result, calls.last_traceback
  end
  return true, result, before, before and state.encode()
end

reading.look = look

-- What `look` found, as these functions return it: the state before and after only if it has changed.
local function found(ok, result, before, after)
  if not ok then
    return false, result, before
  elseif after ~= before then
    return true, result, before, after
  end
  return true, result
end

local function wire(value, name)
  answer:reset()
  codec.put(answer, value, name)
  return answer:tostring()
end

local function seen_by(player)
  local seen = game.observe(world.object, player)
  if type(seen) ~= "table" then
    blame.fail("game.observe must return a table, it returned a " .. type(seen))
  end
  return seen
end

local function observation(player, wants_data, wants_text)
  local data, description
  if wants_data then
    data = wire(seen_by(player), "game.observe")
  end
  if wants_text then
    guard.enter("describe")
    description = game.describe(world.object, player)
    if type(description) ~= "string" then
      blame.fail("game.describe must return a text, it returned a " .. type(description))
    end
  end
  return { data, description }
end

-- Has the game a text of its own?
function reading.describes()
  return game.describe ~= nil
end

-- Does it say what would be accepted now?
function reading.offers()
  return game.actions ~= nil and actions ~= "off"
end

-- What a player sees: data (a blob or nil) and text (or nil).
function reading.observe(id, wants_data, wants_text, compare)
  local ok, result, before, after = look("observe", compare, observation, players.get(id), wants_data, wants_text)
  if not ok then
    return false, result, before
  elseif after ~= before then
    return true, result[1], result[2], before, after
  end
  return true, result[1], result[2]
end

-- What is wrong with one offered action, or nil.
local function problem_of(action)
  if type(action) ~= "table" or blame.noun(action) then
    return " must be a table {name, args, why}, got a " .. type(action)
  end
  local name, args, why = rawget(action, "name"), rawget(action, "args"), rawget(action, "why")
  if type(name) ~= "string" or not inputs[name] then
    return ".name must be a declared input" .. nearest.hint(name, input_names)
  end
  for key in next, action do
    if key ~= "name" and key ~= "args" and key ~= "why" then
      return " has more than name, args and why"
    end
  end
  if why ~= nil and (type(why) ~= "string" or #why > MAX_WHY_BYTES) then
    return ".why must be a text of at most " .. MAX_WHY_BYTES .. " bytes"
  elseif args ~= nil then
    if type(args) ~= "table" or blame.noun(args) then
      return ".args must be a table"
    end
    local problem = declared.problem(inputs[name], args, "args.")
    return problem and "." .. problem
  end
end

local function offered(player)
  local list = game.actions(world.object, player)
  if type(list) ~= "table" or blame.noun(list) then
    blame.fail("game.actions must return a list of actions {name, args, why}, it returned a " .. type(list))
  elseif #list > MAX_ACTIONS then
    blame.fail("game.actions may offer at most " .. MAX_ACTIONS .. " actions, it offered " .. #list)
  end
  local found, is_named = {}, {}
  for i = 1, #list do
    local action = list[i]
    local problem = problem_of(action)
    if problem then
      blame.fail("game.actions: [" .. i .. "]" .. problem)
    end
    if actions == "full" then
      found[i] = action
    elseif not is_named[action.name] then
      is_named[action.name] = true
      found[#found + 1] = { name = action.name }
    end
  end
  return wire(found, "game.actions")
end

-- Inputs that would be accepted from a player now, as a blob: [{name, args?, why?}].
function reading.actions(id, compare)
  return found(look("actions", compare, offered, players.get(id)))
end

local function who_acts()
  local list = game.to_act(world.object)
  if type(list) ~= "table" or (blame.noun(list) ~= nil and list ~= players.list) then
    blame.fail("game.to_act must return a list of players, it returned a " .. type(list))
  end
  local ids = {}
  for i = 1, #list do
    ids[i] = players.id(list[i], "to_act")
  end
  return wire(ids, "game.to_act")
end

-- Whom the next tick waits for, as a blob: [id]; nil if the game leaves it to the engine.
function reading.to_act(compare)
  if not game.to_act then
    return true, nil
  end
  return found(look("to_act", compare, who_acts))
end

local function painted()
  if not game.view then
    answer:reset()
    view.put_scene(answer, tree.slots())
    return answer:tostring()
  end
  local seen = game.view(world.object)
  if type(seen) ~= "table" then
    blame.fail("game.view must return a table, it returned a " .. type(seen))
  end
  return wire(seen, "game.view")
end

-- What spectators see, as a blob.
function reading.view(compare)
  return found(look("view", compare, painted))
end

-- For `games check`: what in an observation does not fit the declared fields, or nil.
function reading.misfit(fields, id)
  local ok, problem = look("observe", false, function()
    return declared.problem(fields, seen_by(players.get(id)), "") or false
  end)
  return ok and problem or nil
end

return reading
