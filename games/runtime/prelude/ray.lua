-- Ray: which boxes a straight way goes into, and where. Only + - * / and comparisons: the same on every machine.

local import = ...
local store = import("store")

local ray = {}

local abs, sort = math.abs, table.sort

-- The part of the way, from enter to leave, that is inside of a slab `half` to both sides of `middle`; nil if none is.
local function clip(start, step, middle, half, enter, leave)
  if step == 0 then
    if start < middle - half or start > middle + half then
      return nil
    end
    return enter, leave
  end
  local a, b = (middle - half - start) / step, (middle + half - start) / step
  if b < a then
    a, b = b, a
  end
  if a > enter then
    enter = a
  end
  if b < leave then
    leave = b
  end
  if enter > leave then
    return nil
  end
  return enter, leave
end

-- Where the way goes into the box of a slot, from 0 to 1; nil if it never does, or begins inside.
local function entry(x, y, z, dx, dy, dz, slot)
  local enter, leave = clip(x, dx, store.x[slot], abs(store.sx[slot]) / 2, -1, 1)
  if enter then
    enter, leave = clip(z, dz, store.z[slot], abs(store.sz[slot]) / 2, enter, leave)
  end
  if enter then
    enter, leave = clip(y, dy, store.y[slot], abs(store.sy[slot]) / 2, enter, leave)
  end
  return enter and enter > 0 and leave > 0 and enter or nil
end

local function comes_first(a, b)
  if a.part ~= b.part then
    return a.part < b.part
  end
  return a.id < b.id
end

-- The boxes of slots[1..count] that the way from (x, y, z) by (dx, dy, dz) goes into: {slot, id, part}, the nearest
-- first, of equally near ones the one with the lower id. tag: only nodes that carry it; nil: all.
function ray.boxes(x, y, z, dx, dy, dz, slots, count, tag)
  local hits, ids, sets = {}, store.id, store.tags
  for i = 1, count do
    local slot = slots[i]
    if tag == nil or sets[slot].has[tag] then
      local part = entry(x, y, z, dx, dy, dz, slot)
      if part then
        hits[#hits + 1] = { slot = slot, id = ids[slot], part = part }
      end
    end
  end
  sort(hits, comes_first)
  return hits
end

return ray
