-- Store: what the scene holds, in columns. A node lives in a slot; `column[slot]` is its value. Slots are used again,
-- ids never: they count 1, 2, 3 … in a world. Columns hold no nil for a used slot (false stands for "not set"), so
-- that LuaJIT keeps them as arrays. Everything here is plain data: it is what a snapshot will write.

local store = {}

-- Numbers, with what they are when nobody says otherwise.
store.number_defaults = { x = 0, y = 0, z = 0, sx = 1, sy = 1, sz = 1, rot = 0 }
store.number_names = { "x", "y", "z", "sx", "sy", "sz", "rot" }
store.text_names = { "kind", "name", "colour", "shape", "label" }

store.x, store.y, store.z = {}, {}, {}
store.sx, store.sy, store.sz, store.rot = {}, {}, {}, {}
store.kind, store.name, store.colour, store.shape, store.label = {}, {}, {}, {}, {}
store.id = {} -- slot → id; 0 while the slot is free
store.parent = {} -- slot → the parent's slot; 0 at the top
store.data = {} -- slot → the game's own table, or false
store.tags = {} -- slot → a set of tags shared by all nodes with the same ones (tags.lua)

store.slot_of = {} -- id → slot
store.free, store.free_count = {}, 0 -- slots to use again, the last freed first
store.slots = 0 -- slots ever used
store.next_id = 1

store.nodes = 0 -- live nodes
store.node_writes = 0 -- nodes spawned, destroyed, and properties written
store.spatial_queries = 0
store.widest = 1 -- no live node is wider than this in x or z; it may have been one that is gone

store.numbers, store.texts = {}, {}
for _, name in ipairs(store.number_names) do
  store.numbers[name] = store[name]
end
for _, name in ipairs(store.text_names) do
  store.texts[name] = store[name]
end

-- Ids and slots in one number that sorts by id: id * PACK + slot.
store.PACK = 2097152
-- Above this many live nodes spawn raises: PACK has room for no more.
store.MAX_NODES = 1000000

-- Returns a slot for a new node, with its id, and all columns at their defaults.
function store.take()
  local slot
  if store.free_count > 0 then
    slot = store.free[store.free_count]
    store.free_count = store.free_count - 1
  else
    slot = store.slots + 1
    store.slots = slot
  end
  local id = store.next_id
  store.next_id = id + 1
  store.id[slot] = id
  store.slot_of[id] = slot
  store.x[slot], store.y[slot], store.z[slot] = 0, 0, 0
  store.sx[slot], store.sy[slot], store.sz[slot], store.rot[slot] = 1, 1, 1, 0
  store.name[slot], store.colour[slot], store.shape[slot], store.label[slot] = false, false, false, false
  store.data[slot] = false
  store.parent[slot] = 0
  store.nodes = store.nodes + 1
  return slot
end

-- There is a node this wide now.
function store.widen(width)
  width = width < 0 and -width or width
  if width > store.widest then
    store.widest = width
  end
end

-- The columns of an empty scene have been filled: slots 1..count hold nodes now, without data.
function store.adopt(count, next_id)
  for slot = 1, count do
    store.slot_of[store.id[slot]] = slot
    store.data[slot] = false
    store.parent[slot] = 0
  end
  store.slots, store.nodes, store.next_id = count, count, next_id
end

-- Gives a slot back. Whatever it referred to is let go.
function store.release(slot)
  store.slot_of[store.id[slot]] = nil
  store.id[slot] = 0
  store.kind[slot], store.name[slot], store.colour[slot] = false, false, false
  store.shape[slot], store.label[slot] = false, false
  store.data[slot] = false
  store.tags[slot] = false
  store.free_count = store.free_count + 1
  store.free[store.free_count] = slot
  store.nodes = store.nodes - 1
end

return store
