-- Order: what makes `pairs`, `next` and `table.sort` depend on keys and values alone.
-- LuaJIT walks a table in an order that differs between processes; the engine and games walk it in this one:
-- 1, 2, … up to the first gap, then other numbers ascending, then strings by bytes, then false and true.
-- Not here: the order of scene nodes (scene.lua sorts ids).

local import = ...
local blame = import("blame")

local order = {}

local next, type, rawget, setmetatable = next, type, rawget, setmetatable
local new_table = require("table.new")

-- Up to here an insertion sort beats a merge sort, and finding a cached order costs more than sorting again.
local SMALL = 8

-- A large table's order, kept until its set of keys changes: table → {keys, count}.
local remembered = setmetatable({}, { __mode = "k" })

local NO_KEYS = {} -- of a list, besides 1..n

local spare = {} -- the second array of merges without a comparator: those cannot be interrupted

local function insert_plain(list, from, to)
  for i = from + 1, to do
    local value = list[i]
    local j = i - 1
    while j >= from and value < list[j] do
      list[j + 1] = list[j]
      j = j - 1
    end
    list[j + 1] = value
  end
end

local function merge_plain(source, target, from, middle, to)
  local i, j = from, middle + 1
  for k = from, to do
    if j > to or (i <= middle and not (source[j] < source[i])) then
      target[k] = source[i]
      i = i + 1
    else
      target[k] = source[j]
      j = j + 1
    end
  end
end

-- Sorts list[1..count], all numbers or all strings, ascending and in place.
function order.sort_plain(list, count)
  if count <= SMALL then
    insert_plain(list, 1, count)
    return
  end
  for from = 1, count, SMALL do
    local to = from + SMALL - 1
    insert_plain(list, from, to < count and to or count)
  end
  local source, target, width = list, spare, SMALL
  while width < count do
    for from = 1, count, 2 * width do
      local middle, to = from + width - 1, from + 2 * width - 1
      if middle > count then
        middle = count
      end
      merge_plain(source, target, from, middle, to < count and to or count)
    end
    source, target, width = target, source, 2 * width
  end
  if source ~= list then
    for i = 1, count do
      list[i] = source[i]
    end
  end
end

local function insert_by(list, from, to, before)
  for i = from + 1, to do
    local value = list[i]
    local j = i - 1
    while j >= from and before(value, list[j]) do
      list[j + 1] = list[j]
      j = j - 1
    end
    list[j + 1] = value
  end
end

local function merge_by(source, target, from, middle, to, before)
  local i, j = from, middle + 1
  for k = from, to do
    if j > to or (i <= middle and not before(source[j], source[i])) then
      target[k] = source[i]
      i = i + 1
    else
      target[k] = source[j]
      j = j + 1
    end
  end
end

local function less(a, b)
  return a < b
end

-- `table.sort`: stable, in place, O(n log n). `before(a, b)`: must a stand before b? Default: a < b.
-- It works on a copy, so a comparator that raises leaves the list as it was.
function order.sort(list, before)
  blame.check_plain_table(list, "table.sort")
  if before ~= nil and type(before) ~= "function" then
    blame.fail("table.sort wants a function as its second argument, got a " .. type(before))
  end
  before = before or less
  local count = #list
  local source, target = {}, {}
  for i = 1, count do
    source[i] = list[i]
  end
  for from = 1, count, SMALL do
    local to = from + SMALL - 1
    insert_by(source, from, to < count and to or count, before)
  end
  local width = SMALL
  while width < count do
    for from = 1, count, 2 * width do
      local middle, to = from + width - 1, from + 2 * width - 1
      if middle > count then
        middle = count
      end
      merge_by(source, target, from, middle, to < count and to or count, before)
    end
    source, target, width = target, source, 2 * width
  end
  for i = 1, count do
    list[i] = source[i]
  end
end

local function refuse_key(key)
  blame.fail(
    "a table with a " .. type(key) .. " as a key has no fixed order: use numbers or strings as keys, such as an id"
  )
end

-- Puts the keys of a table that are not in 1..run into `keys`, in order. Returns how many.
local function sorted_keys(t, run, keys)
  local numbers, strings, others = 0, nil, 0
  local has_false, has_true = false, false
  for key in next, t do
    local kind = type(key)
    if kind == "string" then
      strings = strings or new_table(SMALL, 0)
      others = others + 1
      strings[others] = key
    elseif kind == "number" then
      if key < 1 or key > run or key % 1 ~= 0 then
        numbers = numbers + 1
        keys[numbers] = key
      end
    elseif kind == "boolean" then
      has_true = has_true or key
      has_false = has_false or not key
    else
      refuse_key(key)
    end
  end
  order.sort_plain(keys, numbers)
  local count = numbers
  if strings then
    order.sort_plain(strings, others)
    if count == 0 then
      return strings, others, has_false, has_true
    end
    for i = 1, others do
      keys[count + i] = strings[i]
    end
    count = count + others
  end
  return keys, count, has_false, has_true
end

-- Are these still exactly the keys of the table?
local function is_still_right(t, run, entry)
  local keys, count = entry.keys, entry.count
  if entry.run ~= run then
    return false
  end
  for i = 1, count do
    if rawget(t, keys[i]) == nil then
      return false
    end
  end
  local present = 0
  for _ in next, t do
    present = present + 1
  end
  return present == run + count
end

-- Returns run, keys, count: the table's keys in order are 1..run and then keys[1..count]. Do not change `keys`.
-- `passing`: the table is looked at once and need not be remembered.
function order.keys(t, passing)
  local run = 0
  while rawget(t, run + 1) ~= nil do
    run = run + 1
  end
  if run > 0 then
    local present = 0
    for _ in next, t do
      present = present + 1
    end
    if present == run then
      return run, NO_KEYS, 0
    end
  end
  local entry = remembered[t]
  if entry and is_still_right(t, run, entry) then
    return run, entry.keys, entry.count
  end
  local keys, count, has_false, has_true = sorted_keys(t, run, {})
  if has_false then
    count = count + 1
    keys[count] = false
  end
  if has_true then
    count = count + 1
    keys[count] = true
  end
  if count > SMALL and not passing then
    remembered[t] = { run = run, keys = keys, count = count }
  end
  return run, keys, count
end

-- Goes on from walk.at to the next key that still has a value.
local function search(walk)
  local t, at, run, keys = walk.t, walk.at, walk.run, walk.keys
  while at < walk.last do
    at = at + 1
    local key = at
    if at > run then
      key = keys[at - run]
    end
    local value = rawget(t, key)
    if value ~= nil then
      walk.at = at
      return key, value
    end
  end
  walk.at = at
  return nil
end

-- The next key and its value. The usual case has no loop inside: LuaJIT compiles the game's own loop then.
local function step(walk)
  local at = walk.at + 1
  if at > walk.last then
    return nil
  end
  local key = at
  if at > walk.run then
    key = walk.keys[at - walk.run]
  end
  local value = rawget(walk.t, key)
  if value == nil then
    return search(walk)
  end
  walk.at = at
  return key, value
end

-- `pairs`: the keys are those present when the loop starts. One that is nil by the time it is reached is skipped, one
-- that is added is not visited.
function order.pairs(t)
  blame.check_plain_table(t, "pairs")
  local run, keys, count = order.keys(t)
  return step, { t = t, at = 0, run = run, keys = keys, last = run + count }, nil
end

local RANK = { number = 1, string = 2, boolean = 3 }

-- Does key a come before key b, both outside of 1..run?
local function comes_before(a, b)
  local kind_a, kind_b = type(a), type(b)
  if kind_a ~= kind_b then
    return RANK[kind_a] < RANK[kind_b]
  end
  if kind_a == "boolean" then
    return not a and b
  end
  return a < b
end

-- `next`: the first key, or the one after `key`, in the same order. One call costs a walk over the table.
function order.next(t, key)
  blame.check_plain_table(t, "next")
  if key == nil and rawget(t, 1) ~= nil then
    return 1, rawget(t, 1)
  end
  local run = 0
  while rawget(t, run + 1) ~= nil do
    run = run + 1
  end
  local in_run = type(key) == "number" and key >= 1 and key <= run and key % 1 == 0
  if in_run and key < run then
    return key + 1, rawget(t, key + 1)
  end
  if key ~= nil and not RANK[type(key)] then
    refuse_key(key)
  end
  local best
  for candidate in next, t do
    if not RANK[type(candidate)] then
      refuse_key(candidate)
    end
    local outside = type(candidate) ~= "number" or candidate < 1 or candidate > run or candidate % 1 ~= 0
    local after = key == nil or in_run or comes_before(key, candidate)
    if outside and after and (best == nil or comes_before(candidate, best)) then
      best = candidate
    end
  end
  if best == nil then
    return nil
  end
  return best, rawget(t, best)
end

return order
