-- Snapshot: a whole world between two ticks as two blobs, and back.
-- `engine` holds what the engine keeps (clock, random streams, seats, scene), in bytes that are equal for equal worlds;
-- `values` holds the game's own tables, whose bytes depend on how they came about (hash.lua says when they are equal).
-- Caches (lists of tags and descendants, the grid, orders of keys) are not written: they are made again.

local import = ...
local bytes = import("bytes")
local columns = import("columns")
local order = import("order")
local players = import("players")
local random = import("random")
local saving = import("saving")
local shared = import("shared")
local store = import("store")
local timers = import("timers")
local world = import("world")

local snapshot = {}

local error, next = error, next
local put_number, put_text = bytes.put_number, bytes.put_text
local buffer = require("string.buffer").new()

-- The form of what is written. An engine reads its own form only.
local VERSION = 1

local function put_streams()
  local low, high, streams = random.save()
  put_number(buffer, low)
  put_number(buffer, high)
  local names, count = {}, 0
  for name in next, streams do
    count = count + 1
    names[count] = name
  end
  order.sort_plain(names, count)
  put_number(buffer, count)
  for i = 1, count do
    put_text(buffer, names[i])
    for j = 1, 4 do
      put_number(buffer, streams[names[i]][j])
    end
  end
end

local function read_streams(reader)
  local low, high, streams = bytes.number(reader), bytes.number(reader), {}
  for _ = 1, bytes.number(reader) do
    local name, state = bytes.text(reader), {}
    for j = 1, 4 do
      state[j] = bytes.number(reader)
    end
    streams[name] = state
  end
  random.restore(low, high, streams)
end

local function put_players()
  local list = players.seated
  put_number(buffer, #list)
  for i = 1, #list do
    local player = list[i]
    put_text(buffer, player.id)
    put_number(buffer, player.seat)
    put_text(buffer, player.name)
    put_number(buffer, players.score(player))
  end
end

local function read_players(reader)
  for _ = 1, bytes.number(reader) do
    local id, seat, name = bytes.text(reader), bytes.number(reader), bytes.text(reader)
    players.add(id, seat, name)
    players.set_score(id, bytes.number(reader))
  end
  world.refresh_players()
end

-- The tables of nodes that hold anything, by id. An empty one is as good as none.
local function node_data(slots)
  local data, found = store.data, {}
  for i = 1, #slots do
    local one = data[slots[i]]
    if one and (next(one) ~= nil or debug.getmetatable(one)) then
      found[store.id[slots[i]]] = one
    end
  end
  return found
end

-- Returns engine, values; or nil, a path and a reason if the game's tables hold what cannot be saved.
function snapshot.take(tick, failed_ticks)
  local place, what = shared.problem()
  if place then
    return nil, place, what
  end
  buffer:reset()
  put_number(buffer, VERSION)
  put_number(buffer, tick)
  put_number(buffer, failed_ticks)
  put_streams()
  put_players()
  local slots = columns.put(buffer)
  local values, path, reason =
    saving.encode(world.fields.state, world.fields.settings, node_data(slots), timers.save())
  if not values then
    return nil, path, reason
  end
  return buffer:tostring(), values
end

-- Fills a world whose code has been loaded and that has not run. Returns tick, failed_ticks.
function snapshot.restore(engine, values)
  local reader = bytes.reader(engine)
  local version = bytes.number(reader)
  if version ~= VERSION then
    error("the snapshot has form " .. version .. ", this engine reads form " .. VERSION)
  end
  local tick, failed_ticks = bytes.number(reader), bytes.number(reader)
  read_streams(reader)
  read_players(reader)
  columns.read(reader)
  local state, settings, data, waiting = saving.decode(values)
  world.fields.state, world.fields.settings = state, settings
  timers.restore(waiting)
  for id, one in next, data do
    store.data[store.slot_of[id]] = one
  end
  return tick, failed_ticks
end

return snapshot
