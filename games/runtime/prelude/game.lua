-- Game: the functions that main.lua returned, checked against what game.toml declares.

local import = ...
local blame = import("blame")
local nearest = import("nearest")
local order = import("order")
local text = import("text")

local game = {}

local type, next = type, next

local FUNCTIONS = { "setup", "join", "leave", "tick", "observe", "describe", "actions", "view", "to_act" }
local KNOWN = {
  "actions", "describe", "inputs", "join", "leave", "observe", "setup", "tick", "timers", "to_act", "view",
}

local function nothing() end

local function sorted_names(t)
  local names = {}
  for key in next, t do
    names[#names + 1] = text.tostring(key)
  end
  order.sort_plain(names, #names)
  return names
end

local function contains(list, value)
  for i = 1, #list do
    if list[i] == value then
      return true
    end
  end
  return false
end

local function check_functions(returned)
  for _, name in ipairs(sorted_names(returned)) do
    if not contains(KNOWN, name) then
      return "game." .. name .. " is nothing that the engine calls" .. nearest.hint(name, KNOWN)
        .. ": keep functions of your own in locals"
    end
  end
  for _, name in ipairs(FUNCTIONS) do
    local f = returned[name]
    if f ~= nil and type(f) ~= "function" then
      return "game." .. name .. " must be a function, it is a " .. type(f)
    end
  end
  if not returned.observe then
    return "game.observe is missing: function game.observe(world, player) return {…} end"
  end
  return nil
end

local function check_inputs(inputs, declared)
  if type(inputs) ~= "table" then
    return "game.inputs must be a table of functions, it is a " .. type(inputs)
  end
  for _, name in ipairs(sorted_names(inputs)) do
    if not contains(declared, name) then
      return "game.inputs." .. name .. " is not declared in game.toml" .. nearest.hint(name, declared)
    end
    if type(inputs[name]) ~= "function" then
      return "game.inputs." .. name .. " must be a function, it is a " .. type(inputs[name])
    end
  end
  for _, name in ipairs(declared) do
    if inputs[name] == nil then
      return "input " .. name .. " is declared in game.toml, but game.inputs." .. name .. " is missing"
    end
  end
  return nil
end

local function check_timers(timers)
  if type(timers) ~= "table" then
    return "game.timers must be a table of functions, it is a " .. type(timers)
  end
  for _, name in ipairs(sorted_names(timers)) do
    if type(timers[name]) ~= "function" then
      return "game.timers." .. name .. " must be a function, it is a " .. type(timers[name])
    end
  end
  return nil
end

-- Takes what main.lua returned. Returns nil, or what is wrong with it. declared: names of inputs, sorted.
-- actions: what game.toml says of them. by_turns: only the game can say whose turn it is.
function game.take(returned, declared, actions, by_turns)
  if type(returned) ~= "table" or blame.noun(returned) then
    return "main.lua must return the table of the game's functions, it returned a " .. type(returned)
  end
  local inputs = returned.inputs == nil and {} or returned.inputs
  local timers = returned.timers == nil and {} or returned.timers
  local problem = check_functions(returned) or check_inputs(inputs, declared) or check_timers(timers)
  if problem then
    return problem
  end
  if by_turns and not returned.to_act then
    return "game.to_act is missing: a turn game says whose turn it is, "
      .. "function game.to_act(world) return {world.player(world.state.turn)} end"
  end
  if actions == "full" and not returned.actions then
    return "game.toml says actions = \"full\", but game.actions is missing: "
      .. "function game.actions(world, player) return {{name = …, args = …}} end"
  end
  for _, name in ipairs(FUNCTIONS) do
    game[name] = returned[name]
  end
  game.setup, game.tick = game.setup or nothing, game.tick or nothing
  game.join, game.leave = game.join or nothing, game.leave or nothing
  game.timers, game.timer_names = {}, sorted_names(timers)
  for _, name in ipairs(game.timer_names) do
    game.timers[name] = timers[name]
  end
  game.inputs = {}
  for _, name in ipairs(declared) do
    game.inputs[name] = inputs[name]
  end
  return nil
end

return game
