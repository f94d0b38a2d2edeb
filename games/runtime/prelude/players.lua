-- Players: the handles that games get for those who play, and the list of them in seat order.

local import = ...
local blame = import("blame")
local codec = import("codec")
local nearest = import("nearest")
local order = import("order")
local text = import("text")

local players = {}

local setmetatable, type, sub, tonumber = setmetatable, type, string.sub, tonumber

local PREFIX = "p_" -- of ids; a number follows

local FIELDS = function() end -- the key of a handle's fields: a function that games cannot hold
local NAMES = { "id", "name", "seat" }

local by_id = {} -- id → handle, of those who are seated
local by_seat = {} -- seat → handle
local scores = {} -- id → score

local metatable = {
  __index = function(player, key)
    local value = player[FIELDS][key]
    if value == nil then
      blame.fail("a player has no " .. text.tostring(key) .. nearest.hint(key, NAMES) .. ": it has id, name and seat")
    end
    return value
  end,
  __newindex = function()
    blame.fail("a player cannot be changed: keep what you know about it in world.state, under player.id")
  end,
}
blame.register(metatable, "a player")
players.metatable = metatable

local function id_of(player)
  return player[FIELDS].id
end
codec.register(metatable, id_of)
text.register(metatable, function(player)
  return "player " .. id_of(player)
end)

-- The list of players in seat order that games get, a new one after each join and leave; and the engine's own, because
-- a game can still put something else in place of an item of its list.
players.list = setmetatable({}, blame.shared_list)
players.seated = {}

local function rebuild()
  local seats, count = {}, 0
  for seat in next, by_seat do
    count = count + 1
    seats[count] = seat
  end
  order.sort_plain(seats, count)
  local list, seated = {}, {}
  for i = 1, count do
    list[i] = by_seat[seats[i]]
    seated[i] = list[i]
  end
  players.list, players.seated = setmetatable(list, blame.shared_list), seated
end

local function new_handle(id, seat, name)
  return setmetatable({ [FIELDS] = { id = id, seat = seat, name = name } }, metatable)
end

-- Seats a player and returns its handle.
function players.add(id, seat, name)
  local player = new_handle(id, seat, name)
  by_id[id] = player
  by_seat[seat] = player
  scores[id] = 0
  rebuild()
  return player
end

-- The seat is free. Whoever still holds the handle can read it.
function players.remove(player)
  local fields = player[FIELDS]
  by_id[fields.id] = nil
  by_seat[fields.seat] = nil
  scores[fields.id] = nil
  rebuild()
end

-- The handle of a seated player, or nil: `world.player`.
function players.get(id)
  return by_id[id]
end

function players.is_player(value)
  return type(value) == "table" and blame.noun(value) == "a player"
end

-- The id of a player's handle. Raises on anything else; `name` is the function that was called.
function players.id(player, name)
  if not players.is_player(player) then
    blame.fail(name .. " wants a player, got a " .. type(player))
  end
  return player[FIELDS].id
end

-- What a snapshot holds for a handle: the number in its id and, once it has left, its {seat, name}.
function players.saved(player)
  local fields = player[FIELDS]
  local number = tonumber(sub(fields.id, #PREFIX + 1))
  return number, by_id[fields.id] == nil and { seat = fields.seat, name = fields.name } or nil
end

-- The handle of the seated player with this number, or nil.
function players.of_number(number)
  return by_id[PREFIX .. number]
end

-- A handle of a player who has left: a snapshot may hold one.
function players.departed(number, seat, name)
  return new_handle(PREFIX .. number, seat, name)
end

-- The score of a seated player.
function players.score(player)
  return scores[player[FIELDS].id]
end

-- Sets a score. Returns whether it is another one; nobody has a score once gone.
function players.set_score(id, value)
  if scores[id] == nil or scores[id] == value then
    return false
  end
  scores[id] = value
  return true
end

return players
