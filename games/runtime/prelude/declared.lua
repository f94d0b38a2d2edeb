-- Declared: does a value fit what game.toml declares for it? The same types and bounds as for inputs, but for what the
-- game itself says: data of events, offered actions, observations in a check.
-- Fields come as games/fields.py sends them: a list of {name, type, optional, min, max, longest, values, of, fields}.

local import = ...
local blame = import("blame")
local nearest = import("nearest")
local order = import("order")
local text = import("text")

local declared = {}

local type, next, rawget, format, find, concat = type, next, rawget, string.format, string.find, table.concat
local raw_metatable = debug.getmetatable

local MAX_INTEGER = 9007199254740991
local MAX_ID_BYTES = 40
local SHOWN_BYTES = 40 -- of a text that an error quotes

local function shown(value)
  local kind = type(value)
  if kind == "string" then
    return #value > SHOWN_BYTES and "a text of " .. #value .. " bytes" or format("%q", value)
  elseif kind == "table" or kind == "function" or kind == "thread" then
    return blame.noun(value) or "a " .. kind
  end
  return text.tostring(value)
end

local function range(spec)
  if spec.min and spec.max then
    return format(" from %s to %s", spec.min, spec.max)
  end
  return spec.min and " of at least " .. spec.min or spec.max and " of at most " .. spec.max or ""
end

-- What fits, in words.
local function wanted(spec)
  local kind = spec.type
  if kind == "number" or kind == "integer" then
    return (kind == "number" and "a number" or "an integer") .. range(spec)
  elseif kind == "string" then
    return "a text of at most " .. spec.longest .. " characters"
  elseif kind == "boolean" then
    return "true or false"
  elseif kind == "enum" then
    return "one of " .. concat(spec.values, ", ")
  elseif kind == "id" then
    return "an id of 1 to " .. MAX_ID_BYTES .. " visible ASCII characters"
  elseif kind == "point" then
    return "a point {x = …, z = …}" .. (range(spec) ~= "" and ", each" .. range(spec) or "")
  end
  return kind == "list" and "a list of at most " .. spec.longest .. " items" or "a table"
end

local function is_number(spec, v)
  return type(v) == "number" and v - v == 0 and not (spec.min and v < spec.min) and not (spec.max and v > spec.max)
end

local function characters(s)
  local _, count = string.gsub(s, "[^\128-\191]", "")
  return count
end

-- Values without parts: does one fit?
local fits = { number = is_number }

function fits.integer(spec, v)
  return blame.noun(v) == "a node" -- a node is its id on the wire
    or is_number(spec, v) and v % 1 == 0 and v <= MAX_INTEGER and v >= -MAX_INTEGER
end

function fits.string(spec, v)
  return type(v) == "string" and (#v <= spec.longest or characters(v) <= spec.longest)
end

function fits.boolean(_, v)
  return type(v) == "boolean"
end

function fits.enum(spec, v)
  for i = 1, #spec.values do
    if spec.values[i] == v then
      return true
    end
  end
  return false
end

function fits.id(_, v)
  return blame.noun(v) == "a player" -- a player is its id on the wire
    or type(v) == "string" and #v > 0 and #v <= MAX_ID_BYTES and not find(v, "[^!-~]")
end

function fits.point(spec, v)
  if type(v) ~= "table" or blame.noun(v) or rawget(v, "x") == nil or rawget(v, "z") == nil then
    return false
  end
  for key, coordinate in next, v do
    if key ~= "x" and key ~= "y" and key ~= "z" or not is_number(spec, coordinate) then
      return false
    end
  end
  return true
end

local problem_of

local function problem_of_list(spec, list, path)
  local count = 0
  for _ in next, list do
    count = count + 1
  end
  if count > spec.longest then
    return format("%s must be %s, it holds %d", path, wanted(spec), count)
  end
  for i = 1, count do
    local item = rawget(list, i)
    if item == nil then
      return path .. " must be a list, with exactly the keys 1 to n"
    end
    local problem = problem_of(spec.of, item, format("%s[%d]", path, i))
    if problem then
      return problem
    end
  end
  return nil
end

function problem_of(spec, value, path)
  local simple = fits[spec.type]
  if simple then
    return not simple(spec, value) and path .. " must be " .. wanted(spec) .. ", got " .. shown(value) or nil
  elseif type(value) ~= "table" or (blame.noun(value) and raw_metatable(value) ~= blame.shared_list) then
    return path .. " must be " .. wanted(spec) .. ", got " .. shown(value)
  elseif spec.type == "list" then
    return problem_of_list(spec, value, path)
  end
  return declared.problem(spec.fields, value, path .. ".")
end

-- The first key of a table, in order, that is no declared field.
local function stranger(fields, value, prefix)
  local names, known = {}, {}
  for i = 1, #fields do
    names[i] = fields[i].name
    known[names[i]] = true
  end
  local run, others, count = order.keys(value, true)
  for i = 1, run + count do
    local key = i <= run and i or others[i - run]
    if not known[key] then
      return prefix .. text.tostring(key) .. " is not declared" .. nearest.hint(key, names)
    end
  end
end

-- What about a table does not fit these fields, the first thing, or nil. prefix: what to write before names of fields.
function declared.problem(fields, value, prefix)
  local known, present = 0, 0
  for i = 1, #fields do
    local spec = fields[i]
    local one = rawget(value, spec.name)
    if one ~= nil then
      known = known + 1
      local problem = problem_of(spec, one, prefix .. spec.name)
      if problem then
        return problem
      end
    elseif not spec.optional then
      return prefix .. spec.name .. " is missing: " .. wanted(spec)
    end
  end
  for _ in next, value do
    present = present + 1
  end
  return present ~= known and stranger(fields, value, prefix) or nil
end

return declared
