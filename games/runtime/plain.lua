-- Plain: what a world holds, or what stands at one path in it, as MessagePack for people and tools. Only reads.
-- No part of the engine: it is loaded into a world's Lua state when somebody asks, also beside engines of old logs, and
-- may differ from them. Path: steps as texts, from `state`, `settings`, `scene`, `timers` or `random` on.
-- Nodes and players that the game keeps are written as texts ("node 12", "player p_3"), and so is what MessagePack has
-- no number for (NaN, infinities, -0): two values that differ never look the same.

local import = ...
local codec = import("codec")
local nodes = import("nodes")
local order = import("order")
local players = import("players")
local random = import("random")
local store = import("store")
local tree = import("tree")
local world = import("world")
local decode = import("decode")

local next, type, tostring, tonumber, rawget, pcall = next, type, tostring, tonumber, rawget, pcall
local format, raw_metatable, sort = string.format, debug.getmetatable, order.sort_plain
local put_string, put_number, put_map, put_array = codec.put_string, codec.put_number, codec.put_map, codec.put_array
local buffer = require("string.buffer").new()

local MAX_DEPTH = 60
local MAP = codec.map_metatable
local TEXTS = { "name", "colour", "shape", "label" }

local on_the_way = {} -- tables that contain the one that is being written

local put_any

local function put_special(v)
  if v ~= v then
    put_string(buffer, "NaN")
  elseif v - v ~= 0 then
    put_string(buffer, v > 0 and "Infinity" or "-Infinity")
  elseif v == 0 and 1 / v < 0 then
    put_string(buffer, "-0")
  else
    put_number(buffer, v)
  end
end

local function key_text(key)
  if type(key) == "number" then
    return format(key % 1 == 0 and "%.0f" or "%.17g", key)
  end
  return tostring(key)
end

-- Texts for the keys of a table that is no list, in order, and text → key.
local function texts_of(t)
  local list, count, key_of = {}, 0, {}
  for key in next, t do
    local name = key_text(key)
    if key_of[name] == nil then
      count = count + 1
      list[count] = name
    end
    key_of[name] = key
  end
  sort(list, count)
  return list, count, key_of
end

local function is_list(t)
  local count, present = #t, 0
  for _ in next, t do
    present = present + 1
  end
  return present == count and (count == 0 or rawget(t, 1) ~= nil)
end

local function put_table(t, depth)
  if depth > MAX_DEPTH or on_the_way[t] then
    put_string(buffer, on_the_way[t] and "a table that contains itself" or "nested too deep")
    return
  end
  on_the_way[t] = true
  if raw_metatable(t) ~= MAP and is_list(t) then
    put_array(buffer, #t)
    for i = 1, #t do
      put_any(rawget(t, i), depth + 1)
    end
  else
    local list, count, key_of = texts_of(t)
    put_map(buffer, count)
    for i = 1, count do
      put_string(buffer, list[i])
      put_any(rawget(t, key_of[list[i]]), depth + 1)
    end
  end
  on_the_way[t] = nil
end

function put_any(v, depth)
  local kind = type(v)
  if kind == "number" then
    put_special(v)
  elseif kind == "string" then
    put_string(buffer, v)
  elseif kind == "boolean" then
    buffer:put(v and "\xc3" or "\xc2")
  elseif kind == "nil" then
    buffer:put("\xc0")
  elseif kind == "table" then
    local metatable = raw_metatable(v)
    if metatable == nodes.metatable then
      put_string(buffer, format("node %.0f", nodes.id(v)))
    elseif metatable == players.metatable then
      put_string(buffer, "player " .. players.id(v, "plain"))
    else
      put_table(v, depth)
    end
  else
    put_string(buffer, "a " .. kind)
  end
end

-- A node as a table: what is not as it is by default.
local function node_of(slot)
  local node = { kind = store.kind[slot], x = store.x[slot], y = store.y[slot], z = store.z[slot] }
  for i = 1, #TEXTS do
    node[TEXTS[i]] = store[TEXTS[i]][slot] or nil
  end
  for i = 1, #store.number_names do
    local name = store.number_names[i]
    if store[name][slot] ~= store.number_defaults[name] then
      node[name] = store[name][slot]
    end
  end
  local parent, data = store.parent[slot], store.data[slot]
  node.parent = parent ~= 0 and store.id[parent] or nil
  node.tags = #store.tags[slot].list > 0 and store.tags[slot].list or nil
  node.data = data and next(data) ~= nil and data or nil
  return node
end

local parts = {}

function parts.state()
  return world.fields.state
end

function parts.settings()
  return world.fields.settings
end

function parts.timers()
  local found, timers = pcall(import, "timers")
  return found and timers.save and timers.save() or nil -- engines of before there were timers
end

function parts.random()
  if not random.save then
    return { streams = random.states() }
  end
  local low, high, streams = random.save()
  return { seed = { low, high }, streams = streams }
end

function parts.scene(path)
  if path[2] == "next_id" then
    return { next_id = store.next_id }
  elseif path[2] == "nodes" and path[3] then
    local slot = store.slot_of[tonumber(path[3]) or 0]
    return { nodes = { [path[3]] = slot and node_of(slot) } }
  end
  local slots, found = tree.slots(), setmetatable({}, MAP)
  for i = 1, #slots do
    found[key_text(store.id[slots[i]])] = node_of(slots[i])
  end
  return { next_id = store.next_id, nodes = found }
end

-- What stands under a step's text in a table: its text, or the number that it says.
local function step_into(t, step)
  if type(t) ~= "table" or raw_metatable(t) == nodes.metatable or raw_metatable(t) == players.metatable then
    return nil
  end
  local value = rawget(t, step)
  if value == nil and tonumber(step) then
    value = rawget(t, tonumber(step))
  end
  return value
end

-- path: a list of steps as a blob. Returns what stands there, or nil if nothing does.
return function(path)
  path = decode(path)
  local part = parts[path[1]]
  local value = part and part(path)
  for i = 2, #path do
    value = step_into(value, path[i])
  end
  if value == nil then
    return nil
  end
  on_the_way = {}
  buffer:reset()
  put_any(value, 1)
  return buffer:tostring()
end
