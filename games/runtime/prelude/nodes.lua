-- Nodes: the handles that games hold. One per node while it lives; what it shows is in the columns of the store.
-- Reading `node.x` is a few machine instructions once compiled; every write is checked.

local import = ...
local blame = import("blame")
local codec = import("codec")
local grid = import("grid")
local guard = import("guard")
local nearest = import("nearest")
local store = import("store")
local tags = import("tags")
local text = import("text")
local tree = import("tree")

local nodes = {}

local next, type, rawget, setmetatable, tostring = next, type, rawget, setmetatable, text.tostring
local changing = guard.changing

-- The key of a handle's slot: a function, because games cannot hold it and LuaJIT treats it as a constant.
-- A dead node's handle has -id there.
local SLOT = function() end

local numbers, texts = store.numbers, store.texts

-- What can be read straight from a column.
local readable = { id = store.id }
for name, column in next, numbers do
  readable[name] = column
end
for name, column in next, texts do
  readable[name] = column
end

local handles = {} -- slot → handle, made when first asked for
local metatable = {}
local methods = {}
nodes.metatable = metatable

-- The handle of the node in a slot.
local function handle(slot)
  local node = handles[slot]
  if not node then
    node = setmetatable({ [SLOT] = slot }, metatable)
    handles[slot] = node
  end
  return node
end
nodes.handle = handle

-- The handle of the live node with this id, or nil.
function nodes.of_id(id)
  local slot = store.slot_of[id]
  return slot and handle(slot)
end

-- A new handle of a node that is gone: a snapshot may hold one.
function nodes.dead(id)
  return setmetatable({ [SLOT] = -id }, metatable)
end

-- The id of a node's handle, dead or alive.
function nodes.id(node)
  local slot = rawget(node, SLOT)
  return slot > 0 and store.id[slot] or -slot
end

-- Slots 1..count hold nodes now that nobody has a handle of.
function nodes.adopt(count)
  for slot = 1, count do
    handles[slot] = false
  end
end

local function is_node(value)
  return type(value) == "table" and blame.noun(value) == "a node"
end

local PROPERTIES = {
  "alive", "colour", "data", "id", "kind", "label", "name", "parent", "rot", "shape", "sx", "sy", "sz", "tags",
  "x", "y", "z",
}

local function unknown_property(key)
  return "a node has no " .. tostring(key) .. nearest.hint(key, PROPERTIES) .. ": keep data of your own in node.data"
end

local function no_property(key)
  blame.fail(unknown_property(key))
end

local function fail_dead(node, what)
  local id = -rawget(node, SLOT)
  blame.fail("node " .. id .. " is destroyed: " .. tostring(what) .. " is gone (node.alive tells)")
end

-- The slot of a live node. Raises on anything else; `name` is the function that was called.
local function slot_of(node, name)
  if not is_node(node) then
    blame.fail(name .. " wants a node: call methods with a colon, node:" .. name .. "(…)")
  end
  local slot = node[SLOT]
  if slot < 0 then
    fail_dead(node, name)
  end
  return slot
end

local function read_special(slot, key)
  if key == "parent" then
    local parent = store.parent[slot]
    return parent ~= 0 and handle(parent) or nil
  elseif key == "data" then
    local data = store.data[slot]
    if not data then
      data = {}
      store.data[slot] = data
    end
    return data
  elseif key == "tags" then
    local list, copy = store.tags[slot].list, {}
    for i = 1, #list do
      copy[i] = list[i]
    end
    return copy
  elseif key == "alive" then
    return true
  end
  no_property(key)
end

function metatable.__index(node, key)
  local slot = node[SLOT]
  if slot > 0 then
    local column = readable[key]
    if column then
      local value = column[slot]
      if value == false then
        return nil
      end
      return value
    end
    return methods[key] or read_special(slot, key)
  end
  if key == "id" then
    return -slot
  elseif key == "alive" then
    return false
  end
  return fail_dead(node, key)
end

-- Why a property cannot have a value, or nil if it can.
local function problem(slot, key, value)
  if numbers[key] then
    if type(value) ~= "number" or value - value ~= 0 then
      return "node." .. key .. " wants a finite number, got " .. tostring(value)
    end
  elseif key == "kind" then
    if type(value) ~= "string" or value == "" then
      return "node.kind wants a text"
    end
  elseif texts[key] then
    if type(value) ~= "string" and value ~= false then
      return "node." .. key .. " wants a text, got a " .. type(value)
    end
  elseif key == "data" then
    if type(value) ~= "table" or blame.noun(value) then
      return "node.data wants a table"
    end
  elseif key == "parent" then
    if value ~= false and not (is_node(value) and value[SLOT] > 0) then
      return "node.parent wants a live node"
    end
  elseif key == "tags" then
    if type(value) ~= "table" or blame.noun(value) then
      return "node.tags wants a list of texts"
    end
  else
    return unknown_property(key)
  end
end

-- Raises for the first bad property in the order of names, so that the same mistake always reads the same.
local function refuse(slot, props)
  local worst_key, worst
  for key, value in next, props do
    local text = problem(slot, key, value)
    local name = tostring(key)
    if text and (worst_key == nil or name < worst_key) then
      worst_key, worst = name, text
    end
  end
  blame.fail(worst)
end

-- Raises if anything about these properties is wrong. Returns the set of tags among them, or nil.
local function check(slot, props)
  for key, value in next, props do
    local valid
    if numbers[key] then
      valid = type(value) == "number" and value - value == 0
    else
      valid = problem(slot, key, value) == nil
    end
    if not valid then
      refuse(slot, props)
    end
  end
  return props.tags and tags.intern(props.tags)
end

-- Writes checked properties to a slot, all but the parent. Returns whether the node has moved.
local function write(slot, props, set)
  local written, moved = 0, false
  for key, value in next, props do
    local column = numbers[key] or texts[key]
    if column then
      column[slot] = value
      moved = moved or key == "x" or key == "z"
      if key == "sx" or key == "sz" then
        store.widen(value)
      end
    elseif key == "data" then
      store.data[slot] = value
    end
    written = written + 1
  end
  if set then
    tags.assign(slot, set)
  end
  store.node_writes = store.node_writes + written
  return moved
end

function metatable.__newindex(node, key, value)
  changing("writing to a node")
  local slot = node[SLOT]
  if slot < 0 then
    fail_dead(node, key)
  end
  local column = numbers[key]
  if column then
    if type(value) ~= "number" or value - value ~= 0 then
      blame.fail(problem(slot, key, value))
    end
    column[slot] = value
    store.node_writes = store.node_writes + 1
    if key == "x" or key == "z" then
      grid.move(slot, store.x[slot], store.z[slot])
    elseif key == "sx" or key == "sz" then
      store.widen(value)
    end
    return
  end
  if value == nil then
    value = false
  end
  local bad = problem(slot, key, value)
  if bad then
    blame.fail(bad)
  end
  store.node_writes = store.node_writes + 1
  if texts[key] then
    texts[key][slot] = value
  elseif key == "data" then
    store.data[slot] = value
  elseif key == "tags" then
    tags.assign(slot, tags.intern(value))
  elseif key == "parent" then
    tree.move(slot, value and value[SLOT] or 0)
  end
end

-- Makes a node. Nothing is made if anything about it is wrong.
function nodes.spawn(kind, props, parent)
  changing("spawn")
  if type(kind) ~= "string" or kind == "" then
    blame.fail("spawn wants a kind first: scene:spawn(\"tree\", {x = 1, z = 2}, parent)")
  end
  if props ~= nil then
    blame.check_plain_table(props, "spawn")
    if parent == nil then
      parent = props.parent or nil
    end
  end
  local above = parent ~= nil and slot_of(parent, "spawn") or 0
  if store.nodes >= store.MAX_NODES then
    blame.fail("a world holds at most " .. store.MAX_NODES .. " nodes")
  end
  local set = props and check(0, props)
  local slot = store.take()
  store.kind[slot] = kind
  store.tags[slot] = tags.none
  store.node_writes = store.node_writes + 1
  handles[slot] = false
  if props then
    write(slot, props, set)
  end
  grid.insert(slot, store.x[slot], store.z[slot])
  tree.add(slot, above)
  return handle(slot)
end

local function destroy_one(slot)
  local node = handles[slot]
  if node then
    node[SLOT] = -store.id[slot]
  end
  handles[slot] = false
  tags.assign(slot, tags.none)
  grid.remove(slot)
  tree.drop(slot)
  store.release(slot)
  store.node_writes = store.node_writes + 1
end

-- node:destroy(): the node and all below it are gone.
function methods.destroy(node)
  changing("destroy")
  local slot = slot_of(node, "destroy")
  local below = {}
  for i = tree.below(slot, below), 1, -1 do
    destroy_one(below[i])
  end
  destroy_one(slot)
end

-- node:set(props): writes several properties at once; false stands for "not set".
function methods.set(node, props)
  changing("set")
  local slot = slot_of(node, "set")
  blame.check_plain_table(props, "set")
  local set = check(slot, props)
  if props.parent ~= nil then
    tree.move(slot, props.parent and props.parent[SLOT] or 0)
  end
  if write(slot, props, set) then
    grid.move(slot, store.x[slot], store.z[slot])
  end
  return node
end

-- node:children(): a new list, by id.
function methods.children(node)
  return tree.children(slot_of(node, "children"), handle)
end

-- node:descendants(): all nodes below, by id; the list is shared and kept until the structure changes.
function methods.descendants(node)
  return tree.descendants(slot_of(node, "descendants"), handle)
end

-- node:find(name): of the nodes below with this name, the one with the lowest id; or nil.
function methods.find(node, name)
  return nodes.find(slot_of(node, "find"), name)
end

function methods.has_tag(node, tag)
  return store.tags[slot_of(node, "has_tag")].has[tag] == true
end

function methods.add_tag(node, tag)
  changing("add_tag")
  local slot = slot_of(node, "add_tag")
  store.node_writes = store.node_writes + 1
  tags.assign(slot, tags.with(store.tags[slot], tag))
end

function methods.remove_tag(node, tag)
  changing("remove_tag")
  local slot = slot_of(node, "remove_tag")
  store.node_writes = store.node_writes + 1
  tags.assign(slot, tags.without(store.tags[slot], tag))
end

-- Of all nodes below a slot (0: of the scene) with this name, the one with the lowest id; or nil.
function nodes.find(slot, name)
  if type(name) ~= "string" then
    blame.fail("find wants a name")
  end
  local list, names = tree.descendants(slot, handle), store.name
  for i = 1, #list do
    if names[list[i][SLOT]] == name then
      return list[i]
    end
  end
  return nil
end

blame.register(metatable, "a node")
codec.register(metatable, nodes.id)
text.register(metatable, function(node)
  local slot = node[SLOT]
  return slot > 0 and "node " .. store.id[slot] .. " (" .. store.kind[slot] .. ")" or "node " .. -slot .. " (destroyed)"
end)

return nodes
