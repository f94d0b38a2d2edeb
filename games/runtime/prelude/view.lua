-- View: what spectators see of a game that says nothing else: all nodes of the scene.

local import = ...
local codec = import("codec")
local store = import("store")

local view = {}

local put_string, put_number, put_map, put_array = codec.put_string, codec.put_number, codec.put_map, codec.put_array

local TEXTS = { "name", "colour", "shape", "label" }
-- Sizes and rotation go out only where they differ from the default: most nodes have none.
local SIZES = { "sx", "sy", "sz", "rot" }

local function put_node(buffer, slot)
  local fields, tags = 5, store.tags[slot].list
  for i = 1, #TEXTS do
    fields = fields + (store[TEXTS[i]][slot] and 1 or 0)
  end
  for i = 1, #SIZES do
    fields = fields + (store[SIZES[i]][slot] ~= store.number_defaults[SIZES[i]] and 1 or 0)
  end
  put_map(buffer, fields + (#tags > 0 and 1 or 0))
  put_string(buffer, "id")
  put_number(buffer, store.id[slot])
  put_string(buffer, "kind")
  put_string(buffer, store.kind[slot])
  put_string(buffer, "x")
  put_number(buffer, store.x[slot])
  put_string(buffer, "y")
  put_number(buffer, store.y[slot])
  put_string(buffer, "z")
  put_number(buffer, store.z[slot])
  for i = 1, #TEXTS do
    local value = store[TEXTS[i]][slot]
    if value then
      put_string(buffer, TEXTS[i])
      put_string(buffer, value)
    end
  end
  for i = 1, #SIZES do
    local value = store[SIZES[i]][slot]
    if value ~= store.number_defaults[SIZES[i]] then
      put_string(buffer, SIZES[i])
      put_number(buffer, value)
    end
  end
  if #tags > 0 then
    put_string(buffer, "tags")
    codec.put(buffer, tags)
  end
end

-- Writes {nodes = […]}, by id.
function view.put_scene(buffer, slots)
  put_map(buffer, 1)
  put_string(buffer, "nodes")
  put_array(buffer, #slots)
  for i = 1, #slots do
    put_node(buffer, slots[i])
  end
end

return view
