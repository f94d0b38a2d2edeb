-- The land: villages of huts and fences, and groves of trees, all nodes of the scene. A wave flattens what it passes;
-- a second front, some seconds behind it, raises everything again; whoever walks tramples fences. Nodes are changed,
-- never destroyed, so the number of live nodes stays the same, and each tick touches only the thin strip that a front
-- crossed in it and what lies under walking feet.

local rules = require("rules")

local land = {}

local VILLAGES, HUTS, FENCES = 60, 7, 11 -- huts and fences per village
local GROVES, TREES = 48, 20 -- trees per grove
-- Where things stand: inside the part of the land that a wave crosses, clear of its ends.
local FROM_X, TO_X = rules.WAVE_FROM + 2, rules.WAVE_TO - 2
local EDGE_Z = 110
local TAGS = { "land" }
local FOOTPRINT = 1.5 -- so near to a walker a fence falls

local STANDING = {
  hut = { sy = 4, colour = "#b5835a" },
  fence = { sy = 1.2, colour = "#a39171" },
  tree = { sy = 6, colour = "#3f8f4f" },
  village = { colour = "#b5835a" },
  grove = { colour = "#3f8f4f" },
}
local FLAT = {
  hut = { sy = 0.4, colour = "#6f665c" },
  fence = { sy = 0.1, colour = "#6f665c" },
  tree = { sy = 0.5, colour = "#5b6b5c" },
  village = { colour = "#6f665c" },
  grove = { colour = "#5b6b5c" },
}

local function within(value, low, high)
  return math.max(low, math.min(high, value))
end

-- One village or grove, and around it `count` things. `strip` of `strips` says which part of the land from west to
-- east it lies in: so every tick of a wave meets about as many nodes as any other.
local function settle(world, kind, strip, strips, root)
  local width = (TO_X - FROM_X) / strips
  local x = FROM_X + width * (strip - 1 + world.random())
  local z = (world.random() * 2 - 1) * (EDGE_Z - 10)
  local place = world.scene:spawn(kind, { x = x, z = z, tags = { "land", "place" } }, root)
  place:set(FLAT[kind])
  return place
end

local function scatter(world, kind, count, place, spread, size_x, size_z)
  for _ = 1, count do
    local x = within(place.x + (world.random() * 2 - 1) * spread, FROM_X, TO_X)
    local z = within(place.z + (world.random() * 2 - 1) * spread, -EDGE_Z, EDGE_Z)
    local sy, colour = FLAT[kind].sy, FLAT[kind].colour
    world.scene:spawn(kind, { x = x, z = z, sx = size_x, sy = sy, sz = size_z, colour = colour, tags = TAGS }, place)
  end
end

-- Puts everything on the land, flat: a world begins in the wake of a wave. Once, at setup.
function land.build(world)
  local root = world.scene:spawn("land", { name = "land" })
  for i = 1, VILLAGES do
    local village = settle(world, "village", i, VILLAGES, root)
    scatter(world, "hut", HUTS, village, 12, 4, 4)
    scatter(world, "fence", FENCES, village, 15, 5, 0.3)
  end
  for i = 1, GROVES do
    local grove = settle(world, "grove", i, GROVES, root)
    scatter(world, "tree", TREES, grove, 14, 2, 2)
  end
end

-- How many nodes a wave changes.
land.COUNT = VILLAGES * (1 + HUTS + FENCES) + GROVES * (1 + TREES)

-- Gives all nodes in the strip that a front crossed, from_x < x <= to_x, the look in `looks`.
local function sweep(world, from_x, to_x, looks)
  local nodes = world.scene:in_box(from_x, rules.NORTH, to_x, rules.SOUTH, "land")
  for i = 1, #nodes do
    local node = nodes[i]
    if node.x > from_x then
      node:set(looks[node.kind])
    end
  end
end

function land.flatten(world, from_x, to_x)
  sweep(world, from_x, to_x, FLAT)
end

function land.raise(world, from_x, to_x)
  sweep(world, from_x, to_x, STANDING)
end

-- Somebody walks at (x, z).
function land.trample(world, x, z)
  local nodes = world.scene:within(x, z, FOOTPRINT, "land")
  for i = 1, #nodes do
    local node = nodes[i]
    if node.kind == "fence" and node.sy > FLAT.fence.sy then
      node:set(FLAT.fence)
    end
  end
end

return land
