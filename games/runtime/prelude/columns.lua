-- Columns: the whole scene as bytes and back. Nodes are written by id, so the bytes tell nothing of the slots they had:
-- two scenes with the same nodes give the same bytes, whatever was spawned and destroyed before.
-- Not here: the `data` tables of nodes (saving.lua writes them with the game's state).

local import = ...
local bytes = import("bytes")
local grid = import("grid")
local nodes = import("nodes")
local store = import("store")
local tags = import("tags")
local tree = import("tree")

local columns = {}

local put_number, put_text, put_indices = bytes.put_number, bytes.put_text, bytes.put_indices

-- Numbers the values of a column from 1, in the order of their first use; false is 0. Adds to `index_of` and `list`.
local function collect(column, slots, count, index_of, list)
  for i = 1, count do
    local value = column[slots[i]]
    if index_of[value] == nil then
      list[#list + 1] = value
      index_of[value] = #list
    end
  end
end

local function put_texts(buffer, slots, count)
  local index_of, list = { [false] = 0 }, {}
  for i = 1, #store.text_names do
    collect(store[store.text_names[i]], slots, count, index_of, list)
  end
  put_number(buffer, #list)
  for i = 1, #list do
    put_text(buffer, list[i])
  end
  for i = 1, #store.text_names do
    put_indices(buffer, store[store.text_names[i]], slots, count, index_of)
  end
end

local function put_tags(buffer, slots, count)
  local index_of, list = { [tags.none] = 0 }, {}
  collect(store.tags, slots, count, index_of, list)
  put_number(buffer, #list)
  for i = 1, #list do
    local set = list[i].list
    put_number(buffer, #set)
    for j = 1, #set do
      put_text(buffer, set[j])
    end
  end
  put_indices(buffer, store.tags, slots, count, index_of)
end

-- Writes all nodes. Returns their slots by id.
function columns.put(buffer)
  local slots = tree.slots()
  local count = #slots
  put_number(buffer, count)
  put_number(buffer, store.next_id)
  bytes.put_numbers(buffer, store.id, slots, count, 0)
  local rank = { [0] = 0 } -- slot → place among the nodes by id
  for i = 1, count do
    rank[slots[i]] = i
  end
  put_indices(buffer, store.parent, slots, count, rank)
  for i = 1, #store.number_names do
    local name = store.number_names[i]
    bytes.put_numbers(buffer, store[name], slots, count, store.number_defaults[name])
  end
  put_texts(buffer, slots, count)
  put_tags(buffer, slots, count)
  return slots
end

local function read_texts(reader, count)
  local list = { [0] = false }
  for i = 1, bytes.number(reader) do
    list[i] = bytes.text(reader)
  end
  for i = 1, #store.text_names do
    bytes.indices(reader, store[store.text_names[i]], count, list)
  end
end

local function read_tags(reader, count)
  local list = { [0] = tags.none }
  for i = 1, bytes.number(reader) do
    local set = {}
    for j = 1, bytes.number(reader) do
      set[j] = bytes.text(reader)
    end
    list[i] = tags.intern(set)
  end
  local sets = {}
  bytes.indices(reader, sets, count, list)
  return sets
end

-- Fills the scene, which must be empty, with what `columns.put` has written. The node with the i-th id gets slot i.
function columns.read(reader)
  local count, next_id = bytes.number(reader), bytes.number(reader)
  bytes.numbers(reader, store.id, count, 0)
  local parents, identity = {}, {}
  for i = 0, count do
    identity[i] = i
  end
  bytes.indices(reader, parents, count, identity)
  for i = 1, #store.number_names do
    local name = store.number_names[i]
    bytes.numbers(reader, store[name], count, store.number_defaults[name])
  end
  read_texts(reader, count)
  local sets = read_tags(reader, count)
  store.adopt(count, next_id)
  nodes.adopt(count)
  for slot = 1, count do
    store.tags[slot] = tags.none
    tags.assign(slot, sets[slot])
    store.widen(store.sx[slot])
    store.widen(store.sz[slot])
    grid.insert(slot, store.x[slot], store.z[slot])
    tree.add(slot, parents[slot])
  end
end

return columns
