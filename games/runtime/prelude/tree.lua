-- Tree: which node belongs to which. Children and descendants come by id; lists of descendants are kept until the
-- structure of the scene changes (a spawn, a destroy, a new parent).

local import = ...
local blame = import("blame")
local order = import("order")
local store = import("store")

local tree = {}

local floor, next, setmetatable, remove = math.floor, next, setmetatable, table.remove

local kids = {} -- slot → the slots of its children by id; nil: none. [0]: the top of the scene
local version = 0 -- counts changes of structure
local cached = {} -- slot → {version, list}; [0]: all nodes
local all, all_count = {}, 0 -- ids of all nodes in order, and some that are gone

-- Where in a list of children an id stands, or would stand.
local function position(list, id)
  local ids, low, high = store.id, 1, #list + 1
  while low < high do
    local middle = floor((low + high) / 2)
    if ids[list[middle]] < id then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

local function attach(slot, parent)
  store.parent[slot] = parent
  local list = kids[parent]
  if not list then
    kids[parent] = { slot }
    return
  end
  local count = #list
  local id = store.id[slot]
  if store.id[list[count]] < id then
    list[count + 1] = slot
  else
    table.insert(list, position(list, id), slot)
  end
end

local function detach(slot)
  local parent = store.parent[slot]
  local list = kids[parent]
  remove(list, position(list, store.id[slot]))
  if #list == 0 then
    kids[parent] = nil
  end
end

-- A new node has come, below `parent` (0: at the top).
function tree.add(slot, parent)
  version = version + 1
  attach(slot, parent)
  all_count = all_count + 1
  all[all_count] = store.id[slot]
end

-- A node without children goes. Call before its slot is released.
function tree.drop(slot)
  version = version + 1
  detach(slot)
  cached[slot] = nil
end

-- Moves a node with all below it. Raises where that would make a circle.
function tree.move(slot, parent)
  local above = parent
  while above ~= 0 do
    if above == slot then
      blame.fail("a node cannot become a child of itself or of a node below it")
    end
    above = store.parent[above]
  end
  version = version + 1
  detach(slot)
  attach(slot, parent)
end

-- A new list of the children of a node (0: of the scene), by id.
function tree.children(slot, handle)
  local list, found = kids[slot], {}
  if list then
    for i = 1, #list do
      found[i] = handle(list[i])
    end
  end
  return found
end

-- Puts the slots of all below a node into `found`, parents before children. Returns how many.
function tree.below(slot, found)
  local count, at = 0, 0
  local list = kids[slot]
  while true do
    if list then
      for i = 1, #list do
        count = count + 1
        found[count] = list[i]
      end
    end
    at = at + 1
    if at > count then
      return count
    end
    list = kids[found[at]]
  end
end

-- A new list of all slots in use, by id. Forgets the ids that are gone.
function tree.slots()
  local slot_of, list, kept = store.slot_of, {}, 0
  for i = 1, all_count do
    local id = all[i]
    local slot = slot_of[id]
    if slot then
      kept = kept + 1
      all[kept] = id
      list[kept] = slot
    end
  end
  for i = kept + 1, all_count do
    all[i] = nil
  end
  all_count = kept
  return list
end

local function everything(handle)
  local list = tree.slots()
  for i = 1, #list do
    list[i] = handle(list[i])
  end
  return list
end

local function subtree(slot, handle)
  local list = {}
  local count = tree.below(slot, list)
  local PACK, ids = store.PACK, store.id
  for i = 1, count do
    list[i] = ids[list[i]] * PACK + list[i]
  end
  order.sort_plain(list, count)
  for i = 1, count do
    list[i] = handle(list[i] % PACK)
  end
  return list
end

-- All nodes below a node (0: all of the scene), by id: the same list until the structure changes.
function tree.descendants(slot, handle)
  local entry = cached[slot]
  if entry and entry.version == version then
    return entry.list
  end
  local list = slot == 0 and everything(handle) or subtree(slot, handle)
  setmetatable(list, blame.shared_list)
  cached[slot] = { version = version, list = list }
  return list
end

-- Does a list that was handed out hold something else than it should?
function tree.is_changed(handle)
  for slot, entry in next, cached do
    if entry.version == version then
      local right = slot == 0 and everything(handle) or subtree(slot, handle)
      for i = 1, #right do
        if entry.list[i] ~= right[i] then
          return true
        end
      end
    end
  end
  return false
end

return tree
