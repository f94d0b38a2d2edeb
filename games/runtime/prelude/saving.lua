-- Saving: the game's own tables as bytes and back. What they may hold is decided here.
-- A table is a list (exactly the keys 1..n), a map of texts, or a map of whole numbers: one that has the key 1 comes
-- from world.map, else it would be a list. It holds
-- numbers, texts, booleans, such tables, nodes and players, and stands in one place only. A node or player is written
-- as its number (cdata, which no game can hold) and comes back as the one handle of that node or player.

local import = ...
local blame = import("blame")
local codec = import("codec")
local nodes = import("nodes")
local order = import("order")
local players = import("players")

local saving = {}

local ffi = require("ffi")
local string_buffer = require("string.buffer")
local next, type, rawget, rawset, pcall, error = next, type, rawget, rawset, pcall, error
local raw_metatable, find, format = debug.getmetatable, string.find, string.format

local MAX_DEPTH = 60
local MAX_INTEGER = 9007199254740992 -- 2^53: from here on not every whole number exists

local NODE, PLAYER = ffi.typeof("int64_t"), ffi.typeof("uint64_t")
local MAP, HANDLE = codec.map_metatable, { [nodes.metatable] = "a node", [players.metatable] = "a player" }

-- Whoever reads the tables must know the metatables by the same numbers.
local buffer = string_buffer.new({ metatable = { MAP } })

local seen -- tables met in this walk → true, or the path of where
local holders, keys, handles, places = {}, {}, {}, 0 -- where handles stand: holders[i][keys[i]] == handles[i]

local function is_whole(v)
  return v % 1 == 0 and v <= MAX_INTEGER and v >= -MAX_INTEGER
end

-- May this table be saved, with all in it? Notes where the handles stand.
local function is_fine(t, depth)
  local metatable = raw_metatable(t)
  local is_map = metatable == MAP
  if depth > MAX_DEPTH or seen[t] or (metatable and not is_map) then
    return false
  end
  seen[t] = true
  local texts, numbers, highest, lowest = 0, 0, 0, 1
  for key, value in next, t do
    local kind = type(key)
    if kind == "string" then
      texts = texts + 1
    elseif kind == "number" and is_whole(key) then
      numbers = numbers + 1
      highest = key > highest and key or highest
      lowest = key < lowest and key or lowest
    else
      return false
    end
    kind = type(value)
    if kind == "table" then
      metatable = raw_metatable(value)
      if metatable and HANDLE[metatable] then
        places = places + 1
        holders[places], keys[places], handles[places] = t, key, value
      elseif not is_fine(value, depth + 1) then
        return false
      end
    elseif kind ~= "number" and kind ~= "string" and kind ~= "boolean" then
      return false
    end
  end
  if numbers == 0 then
    return true
  end
  return texts == 0 and (is_map or rawget(t, 1) == nil or (lowest == 1 and highest == numbers))
end

local function path_to(path, key)
  if type(key) == "string" then
    return find(key, "^[%a_][%w_]*$") and path .. "." .. key or path .. format("[%q]", key)
  end
  return format(is_whole(key) and "%s[%.0f]" or "%s[%.17g]", path, key)
end

-- What is wrong with the keys of a table, as path and reason, or nil.
local function problem_of_keys(t, path)
  local texts, numbers = false, 0
  for key in next, t do
    local kind = type(key)
    if kind == "string" then
      texts = true
    elseif kind ~= "number" then
      return path, "has a " .. kind .. " as a key: use texts or whole numbers"
    else
      numbers = numbers + 1
    end
  end
  if numbers == 0 then
    return nil
  end
  local run, others, count = order.keys(t, true)
  for i = 1, count do
    if type(others[i]) == "number" and not is_whole(others[i]) then
      return path_to(path, others[i]), "has a key that is no whole number: use texts or whole numbers"
    end
  end
  if texts then
    return path, "has both texts and numbers as keys: make two tables of it"
  elseif run > 0 and count > 0 and raw_metatable(t) ~= MAP then
    local odd = others[1] < 1 and others[1] or run + 1
    return path_to(path, odd), (odd < 1 and "stands beside a list" or "is a hole in a list")
      .. ": a list has exactly the keys 1 to n; put false into holes, or make the table with world.map"
  end
  return nil
end

local problem_of_table

local function problem_of_value(value, path, depth)
  local kind = type(value)
  if kind == "number" or kind == "string" or kind == "boolean" then
    return nil
  elseif kind ~= "table" then
    return path, "is a " .. (kind == "thread" and "coroutine" or kind) .. ": keep numbers, texts, booleans and tables"
  end
  local metatable = raw_metatable(value)
  if metatable and HANDLE[metatable] then
    return nil
  end
  return problem_of_table(value, path, depth)
end

-- The first thing in the way, in the order of keys, as path and reason; or nil.
function problem_of_table(t, path, depth)
  local metatable = raw_metatable(t)
  if metatable and metatable ~= MAP then
    local noun = blame.noun(t)
    return path, noun and "is " .. noun .. ": only nodes and players can be kept"
      or "has a metatable: keep plain tables"
  elseif seen[t] then
    return path, "is the same table as " .. seen[t] .. ": store an id"
  elseif depth > MAX_DEPTH then
    return path, "is nested deeper than " .. MAX_DEPTH .. " tables"
  end
  seen[t] = path
  local where, reason = problem_of_keys(t, path)
  if where then
    return where, reason
  end
  local run, others, count = order.keys(t, true)
  for i = 1, run + count do
    local key = i <= run and i or others[i - run]
    where, reason = problem_of_value(rawget(t, key), path_to(path, key), depth + 1)
    if where then
      return where, reason
    end
  end
  return nil
end

-- The first problem in tables by id; `place` is what to call one.
local function first_problem_among(tables, place)
  local run, ids, count = order.keys(tables, true)
  for i = 1, run + count do
    local id = i <= run and i or ids[i - run]
    local where, reason = problem_of_table(tables[id], format(place, id), 1)
    if where then
      return where, reason
    end
  end
end

-- Walks again, slowly, to say what is wrong and where: the same words in every run.
local function first_problem(state, settings, data, timers)
  seen = {}
  local where, reason = problem_of_table(state, "state", 1)
  if not where then
    where, reason = problem_of_table(settings, "settings", 1)
  end
  if not where then
    where, reason = first_problem_among(data, "scene:get(%.0f).data")
  end
  if not where and timers then
    where, reason = first_problem_among(timers.list, "timer(%.0f)")
  end
  seen = nil
  return where, reason
end

local function all_fine(state, settings, data, timers)
  places = 0
  seen = {}
  local fine = is_fine(state, 1) and is_fine(settings, 1)
  for _, table_of_node in next, data do
    fine = fine and is_fine(table_of_node, 1)
  end
  for _, timer in next, timers and timers.list or {} do
    fine = fine and is_fine(timer, 1)
  end
  seen = nil
  return fine
end

local function encode_all(state, settings, data, left, timers)
  buffer:encode({ state = state, settings = settings, data = data, left = left, timers = timers })
end

-- Puts numbers where the handles stand. Returns id → {seat, name} of the players among them who have left.
local function swap_handles_out()
  local left = {}
  for i = 1, places do
    local handle = handles[i]
    if raw_metatable(handle) == nodes.metatable then
      rawset(holders[i], keys[i], NODE(nodes.id(handle)))
    else
      local number, fields = players.saved(handle)
      rawset(holders[i], keys[i], PLAYER(number))
      if fields then
        left[number] = fields
      end
    end
  end
  return left
end

local function swap_handles_in()
  for i = 1, places do
    rawset(holders[i], keys[i], handles[i])
    holders[i], handles[i] = false, false
  end
end

-- Returns the game's state, the settings, the nodes' data (id → table) and the timers (as `timers.save` has them) as
-- bytes; or nil, a path and a reason.
function saving.encode(state, settings, data, timers)
  if not all_fine(state, settings, data, timers) then
    return nil, first_problem(state, settings, data, timers)
  end
  local left = swap_handles_out()
  buffer:reset()
  local ok, problem = pcall(encode_all, state, settings, data, left, timers)
  swap_handles_in()
  if not ok then
    error(problem, 0)
  end
  return buffer:tostring()
end

-- Puts the handles back where numbers stand for them.
local function put_handles(t, node, player)
  for key, value in next, t do
    local kind = type(value)
    if kind == "table" then
      put_handles(value, node, player)
    elseif kind == "cdata" then
      rawset(t, key, ffi.istype(NODE, value) and node(tonumber(value)) or player(tonumber(value)))
    end
  end
end

-- Returns the tables that `saving.encode` has written as one, nodes and players as numbers.
function saving.tables(blob)
  return buffer:set(blob):decode()
end

-- Returns the state, the settings, the nodes' data and the timers that `saving.encode` has written. The scene and those
-- who are seated must be back already.
function saving.decode(blob)
  local saved = saving.tables(blob)
  local gone = {}
  local function node(id)
    local handle = nodes.of_id(id) or gone[id] or nodes.dead(id)
    gone[id] = handle
    return handle
  end
  local function player(number)
    local fields = saved.left[number]
    local handle = players.of_number(number) or gone[-number] or players.departed(number, fields.seat, fields.name)
    gone[-number] = handle
    return handle
  end
  put_handles(saved.state, node, player)
  put_handles(saved.settings, node, player)
  put_handles(saved.data, node, player)
  if saved.timers then
    put_handles(saved.timers.list, node, player)
  end
  return saved.state, saved.settings, saved.data, saved.timers
end

return saving
