-- Grid: which nodes are near a place, in time that depends on how many are near, not on how many there are.
-- Squares of CELL × CELL units on the ground (x, z), kept up to date on every write of x or z. The order inside a cell
-- depends on history, so whoever asks sorts what it gets.

local grid = {}

local floor, min, max = math.floor, math.min, math.max

local CELL = 16
-- Cells beyond this count as the outermost one: places further out are still found, only more slowly.
local FARTHEST = 524287
local ROW = 1048576

local cells = {} -- cell key → slots, their count at [0]
local cell_of = {} -- slot → cell key
local place_of = {} -- slot → index in its cell
local spare, spare_count = {}, 0 -- emptied cells, for reuse

local function index(v)
  local cell = floor(v / CELL)
  if cell > FARTHEST then
    return FARTHEST
  elseif cell < -FARTHEST then
    return -FARTHEST
  end
  return cell
end

local function key_of(x, z)
  return index(x) * ROW + index(z)
end

local function link(slot, key)
  local cell = cells[key]
  if not cell then
    if spare_count > 0 then
      cell = spare[spare_count]
      spare_count = spare_count - 1
    else
      cell = { [0] = 0 }
    end
    cells[key] = cell
  end
  local count = cell[0] + 1
  cell[0] = count
  cell[count] = slot
  cell_of[slot] = key
  place_of[slot] = count
end

-- Takes a slot out.
function grid.remove(slot)
  local key = cell_of[slot]
  local cell = cells[key]
  local count = cell[0]
  local last, place = cell[count], place_of[slot]
  cell[place] = last
  place_of[last] = place
  cell[count] = nil
  cell[0] = count - 1
  if count == 1 then
    cells[key] = nil
    spare_count = spare_count + 1
    spare[spare_count] = cell
  end
end

-- Puts a slot in that is in no cell yet.
function grid.insert(slot, x, z)
  link(slot, key_of(x, z))
end

-- The slot stands at (x, z) now.
function grid.move(slot, x, z)
  local key = key_of(x, z)
  if key ~= cell_of[slot] then
    grid.remove(slot)
    link(slot, key)
  end
end

-- Writes into found[1..n] all slots that may stand between (x1, z1) and (x2, z2), and some that stand near; returns n.
-- Returns nil where looking at every node is cheaper: there are fewer nodes (`total`) than cells.
function grid.near(x1, z1, x2, z2, total, found)
  local from_x, to_x, from_z, to_z = index(x1), index(x2), index(z1), index(z2)
  if (to_x - from_x + 1) * (to_z - from_z + 1) > total + 16 then
    return nil
  end
  local n = 0
  for cx = from_x, to_x do
    local row = cx * ROW
    for cz = from_z, to_z do
      local cell = cells[row + cz]
      if cell then
        for i = 1, cell[0] do
          n = n + 1
          found[n] = cell[i]
        end
      end
    end
  end
  return n
end

-- Writes into found[1..n] all slots whose centre may be at most `reach` from the way from (x1, z1) to (x2, z2), and
-- some that are further; returns n. Returns nil where looking at every node is cheaper.
function grid.along(x1, z1, x2, z2, reach, total, found)
  if x2 < x1 then
    x1, z1, x2, z2 = x2, z2, x1, z1
  end
  -- A unit more than needed: what rounding does to the way's ends in a row of cells is far less.
  reach = reach + 1
  local dx, dz = x2 - x1, z2 - z1
  local n, looked = 0, 0
  for cx = index(x1 - reach), index(x2 + reach) do
    -- The part of the way that is in reach of this row of cells, from 0 to 1.
    local from, to = 0, 1
    if dx > 0 and cx > -FARTHEST then
      from = min(max((cx * CELL - reach - x1) / dx, 0), 1)
    end
    if dx > 0 and cx < FARTHEST then
      to = max(min(((cx + 1) * CELL + reach - x1) / dx, 1), 0)
    end
    local za, zb = z1 + from * dz, z1 + to * dz
    local row = cx * ROW
    for cz = index(min(za, zb) - reach), index(max(za, zb) + reach) do
      looked = looked + 1
      local cell = cells[row + cz]
      if cell then
        for i = 1, cell[0] do
          n = n + 1
          found[n] = cell[i]
        end
      end
    end
    if looked > total + 16 then
      return nil
    end
  end
  return n
end

return grid
