-- State: the game's own data as bytes, to see whether a call that may only read has written to it.

local import = ...
local codec = import("codec")
local store = import("store")
local world = import("world")

local state = {}

local pcall, next, tostring = pcall, next, tostring
local buffer = require("string.buffer").new()

-- Data tables of nodes by id, those that hold anything.
local function node_data()
  local found = codec.map({})
  for slot = 1, store.slots do
    local data = store.data[slot]
    if data and next(data) ~= nil then
      found[tostring(store.id[slot])] = data
    end
  end
  return found
end

-- Returns world.state and all node data as one blob, or nil if something in them cannot be written.
function state.encode()
  buffer:reset()
  local ok = pcall(codec.put, buffer, { nodes = node_data(), state = world.fields.state })
  return ok and buffer:tostring() or nil
end

return state
