-- Scene: `world.scene`, the tree of things in a world, made for thousands of nodes. Whatever it returns is by id.

local import = ...
local blame = import("blame")
local grid = import("grid")
local nearest = import("nearest")
local nodes = import("nodes")
local order = import("order")
local ray = import("ray")
local store = import("store")
local tags = import("tags")
local text = import("text")
local tree = import("tree")

local scene = {}

local type, setmetatable, sort_plain, sqrt = type, setmetatable, order.sort_plain, math.sqrt
local handle = nodes.handle

local found = {} -- scratch of one query: slots, then ids packed with slots
local methods = {}
local object

local function check_self(self, name)
  if self ~= object then
    blame.fail("call this with a colon: world.scene:" .. name .. "(…)")
  end
end

local function check_number(value, name)
  if type(value) ~= "number" or value - value ~= 0 then
    blame.fail(name .. " wants finite numbers, got " .. (type(value) == "number" and value or type(value)))
  end
end

-- Puts all slots in use into `found`; returns how many.
local function everything()
  local count, ids = 0, store.id
  for slot = 1, store.slots do
    if ids[slot] ~= 0 then
      count = count + 1
      found[count] = slot
    end
  end
  return count
end

-- Puts all slots that may stand in the box into `found`; returns how many.
local function candidates(x1, z1, x2, z2)
  store.spatial_queries = store.spatial_queries + 1
  return grid.near(x1, z1, x2, z2, store.nodes, found) or everything()
end

-- Makes a list of handles by id from found[1..count], packed ids and slots.
local function listed(count)
  sort_plain(found, count)
  local list, PACK = {}, store.PACK
  for i = 1, count do
    list[i] = handle(found[i] % PACK)
  end
  return list
end

function methods.spawn(self, kind, props, parent)
  check_self(self, "spawn")
  return nodes.spawn(kind, props, parent)
end

-- scene:get(id): the live node with this id, or nil.
function methods.get(self, id)
  check_self(self, "get")
  local slot = store.slot_of[id]
  return slot and handle(slot) or nil
end

function methods.children(self)
  check_self(self, "children")
  return tree.children(0, handle)
end

function methods.descendants(self)
  check_self(self, "descendants")
  return tree.descendants(0, handle)
end

function methods.find(self, name)
  check_self(self, "find")
  return nodes.find(0, name)
end

-- scene:tagged(tag): all nodes with the tag; the list is shared and kept until the tag is given or taken.
function methods.tagged(self, tag)
  check_self(self, "tagged")
  return tags.nodes(tag, handle)
end

-- scene:within(x, z, radius, tag): a new list of the nodes whose (x, z) is at most `radius` away; `tag` may be nil.
function methods.within(self, x, z, radius, tag)
  check_self(self, "within")
  check_number(x, "within")
  check_number(z, "within")
  check_number(radius, "within")
  local near = candidates(x - radius, z - radius, x + radius, z + radius)
  local xs, zs, ids, sets, PACK = store.x, store.z, store.id, store.tags, store.PACK
  local reach, count = radius * radius, 0
  if radius < 0 then
    near = 0
  end
  for i = 1, near do
    local slot = found[i]
    local dx, dz = xs[slot] - x, zs[slot] - z
    if dx * dx + dz * dz <= reach and (tag == nil or sets[slot].has[tag]) then
      count = count + 1
      found[count] = ids[slot] * PACK + slot
    end
  end
  return listed(count)
end

-- scene:in_box(x1, z1, x2, z2, tag): a new list of the nodes with x1 <= x <= x2 and z1 <= z <= z2; `tag` may be nil.
function methods.in_box(self, x1, z1, x2, z2, tag)
  check_self(self, "in_box")
  check_number(x1, "in_box")
  check_number(z1, "in_box")
  check_number(x2, "in_box")
  check_number(z2, "in_box")
  if x2 < x1 then
    x1, x2 = x2, x1
  end
  if z2 < z1 then
    z1, z2 = z2, z1
  end
  local near = candidates(x1, z1, x2, z2)
  local xs, zs, ids, sets, PACK = store.x, store.z, store.id, store.tags, store.PACK
  local count = 0
  for i = 1, near do
    local slot = found[i]
    local x, z = xs[slot], zs[slot]
    if x >= x1 and x <= x2 and z >= z1 and z <= z2 and (tag == nil or sets[slot].has[tag]) then
      count = count + 1
      found[count] = ids[slot] * PACK + slot
    end
  end
  return listed(count)
end

-- A point of a ray: a table or a node with x, z and perhaps y.
local function point(value, name)
  if type(value) ~= "table" then
    blame.fail("raycast wants " .. name .. " as a point {x = …, z = …} or a node, got a " .. type(value))
  end
  local x, y, z = value.x, value.y or 0, value.z
  check_number(x, "raycast")
  check_number(y, "raycast")
  check_number(z, "raycast")
  return x, y, z
end

-- scene:raycast(from, to, filter): the first thing on the straight way between two points: {node, x, y, z, distance},
-- or nil. Every node is a box of its size around its position, not turned; one that the way begins in is not hit.
-- filter: a tag, or a function(node) that returns whether it counts.
function methods.raycast(self, from, to, filter)
  check_self(self, "raycast")
  local x, y, z = point(from, "from")
  local to_x, to_y, to_z = point(to, "to")
  if filter ~= nil and type(filter) ~= "string" and type(filter) ~= "function" then
    blame.fail("raycast wants a tag or a function(node) as its filter, got a " .. type(filter))
  end
  store.spatial_queries = store.spatial_queries + 1
  local near = grid.along(x, z, to_x, to_z, store.widest / 2, store.nodes, found) or everything()
  local dx, dy, dz = to_x - x, to_y - y, to_z - z
  local hits = ray.boxes(x, y, z, dx, dy, dz, found, near, type(filter) == "string" and filter or nil)
  for i = 1, #hits do
    local slot, part = hits[i].slot, hits[i].part
    local node = store.id[slot] == hits[i].id and handle(slot) -- false: the filter has destroyed it
    if node and (type(filter) ~= "function" or filter(node)) then
      local distance = part * sqrt(dx * dx + dy * dy + dz * dz)
      return { node = node, x = x + part * dx, y = y + part * dy, z = z + part * dz, distance = distance }
    end
  end
  return nil
end

local NAMES = { "spawn", "get", "children", "descendants", "find", "tagged", "within", "in_box", "raycast" }

local metatable = {
  __index = function(_, key)
    local method = methods[key]
    if not method then
      blame.fail("world.scene has no " .. text.tostring(key) .. nearest.hint(key, NAMES))
    end
    return method
  end,
  __newindex = function()
    blame.fail("world.scene cannot be changed: spawn nodes, or keep your data in world.state")
  end,
}
blame.register(metatable, "world.scene")
object = setmetatable({}, metatable)
scene.object = object

return scene
