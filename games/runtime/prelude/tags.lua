-- Tags: which nodes carry which, and the cached list of all nodes with a tag, by id.
-- A node's tags are one of a few sets that all nodes with equal tags share, so a tag costs a node nothing.

local import = ...
local blame = import("blame")
local order = import("order")
local store = import("store")

local tags = {}

local next, type, concat, setmetatable = next, type, table.concat, setmetatable

local MAX_LENGTH = 64

local function new_set(list)
  local has = {}
  for i = 1, #list do
    has[list[i]] = true
  end
  return { list = list, has = has }
end

local NONE = new_set({})
tags.none = NONE

local sets = { [""] = NONE } -- the tags joined by zero bytes → the set

-- tag → {ids: of nodes that got it, in order unless `mixed`; count; list: the cached answer, nil after a change}
local groups = {}
local NOBODY = setmetatable({}, blame.shared_list)

-- The set of the tags in a list, whatever their order. Raises unless it is a list of short texts.
function tags.intern(list)
  blame.check_plain_table(list, "tags")
  local sorted, has, count = {}, {}, 0
  for i = 1, #list do
    local tag = list[i]
    if type(tag) ~= "string" or tag == "" or #tag > MAX_LENGTH then
      blame.fail("tags want a list of texts of 1 to " .. MAX_LENGTH .. " bytes")
    end
    if not has[tag] then
      has[tag] = true
      count = count + 1
      sorted[count] = tag
    end
  end
  order.sort_plain(sorted, count)
  local key = concat(sorted, "\0")
  local set = sets[key]
  if not set then
    set = new_set(sorted)
    sets[key] = set
  end
  return set
end

local function enter(tag, id)
  local group = groups[tag]
  if not group then
    group = { ids = {}, count = 0, mixed = false, list = nil }
    groups[tag] = group
  end
  local count = group.count
  if count > 0 and id <= group.ids[count] then
    group.mixed = true
  end
  group.ids[count + 1] = id
  group.count = count + 1
  group.list = nil
end

-- Gives the node in a slot these tags instead of those it had.
function tags.assign(slot, set)
  local old = store.tags[slot] or NONE
  if old == set then
    return
  end
  store.tags[slot] = set
  for i = 1, #old.list do
    local tag = old.list[i]
    if not set.has[tag] then
      groups[tag].list = nil
    end
  end
  local id = store.id[slot]
  for i = 1, #set.list do
    local tag = set.list[i]
    if not old.has[tag] then
      enter(tag, id)
    end
  end
end

-- The same set with one tag more, or less.
function tags.with(set, tag)
  local list = { tag }
  for i = 1, #set.list do
    list[i + 1] = set.list[i]
  end
  return tags.intern(list)
end

function tags.without(set, tag)
  local list = {}
  for i = 1, #set.list do
    if set.list[i] ~= tag then
      list[#list + 1] = set.list[i]
    end
  end
  return tags.intern(list)
end

-- Drops ids that are gone or have lost the tag, and restores the order; fills `list` with handles.
local function rebuild(tag, group, list, handle)
  local ids, slot_of, sets_by_slot = group.ids, store.slot_of, store.tags
  if group.mixed then
    order.sort_plain(ids, group.count)
    group.mixed = false
  end
  local kept, last = 0, 0
  for i = 1, group.count do
    local id = ids[i]
    local slot = slot_of[id]
    if id ~= last and slot and sets_by_slot[slot].has[tag] then
      kept = kept + 1
      ids[kept] = id
      list[kept] = handle(slot)
    end
    last = id
  end
  for i = kept + 1, group.count do
    ids[i] = nil
  end
  group.count = kept
end

-- All nodes with a tag, by id: the same list until the tag is given or taken.
function tags.nodes(tag, handle)
  local group = groups[tag]
  if not group then
    return NOBODY
  end
  local list = group.list
  if not list then
    list = {}
    rebuild(tag, group, list, handle)
    setmetatable(list, blame.shared_list)
    group.list = list
    if group.count == 0 then
      groups[tag] = nil
    end
  end
  return list
end

-- Does a list that was handed out hold something else than it should?
function tags.is_changed(handle)
  for tag, group in next, groups do
    if group.list then
      local right = {}
      rebuild(tag, group, right, handle)
      for i = 1, #right do
        if group.list[i] ~= right[i] then
          return true
        end
      end
    end
  end
  return false
end

return tags
