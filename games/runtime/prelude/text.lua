-- Text: tostring, string.format and print-like text without addresses, and string functions with limits.
-- An address in a string would make a world differ between two runs.

local import = ...
local blame = import("blame")
local limits = import("limits")

local text = {}

local type, select, tonumber, native_tostring = type, select, tonumber, tostring
local format, find, rep = string.format, string.find, string.rep
local match, gmatch, gsub = string.match, string.gmatch, string.gsub

local MAX_REP_BYTES = 1048576
-- Some patterns need time that grows with the square of the subject, or worse.
local MAX_SUBJECT_BYTES = 65536

-- Metatable of an engine handle → how to show one.
local shown_by = {}
local raw_metatable = debug.getmetatable

-- From now on `tostring` of handles with this metatable is what `show(handle)` returns.
function text.register(metatable, show)
  shown_by[metatable] = show
end

-- `tostring`: as Lua's for numbers, strings, booleans and nil; else the type, without address. Ignores __tostring.
function text.tostring(value)
  local kind = type(value)
  if kind == "number" or kind == "string" or kind == "boolean" or kind == "nil" then
    return native_tostring(value)
  end
  local metatable = raw_metatable(value)
  local show = metatable and shown_by[metatable]
  if show then
    return show(value)
  end
  return blame.noun(value) or kind
end

local tostring = text.tostring

-- Patterns that were looked at and hold no %p. Emptied when there are too many.
local checked_patterns, checked_count = {}, 0
local REMEMBERED_PATTERNS = 512

local function check_pattern(pattern)
  if type(pattern) == "string" then
    if find(gsub(pattern, "%%%%", ""), "%%[%-%+ #0]*%d*%.?%d*p") then
      blame.fail("string.format: %p shows an address, which differs between two runs")
    end
    if checked_count >= REMEMBERED_PATTERNS then
      checked_patterns, checked_count = {}, 0
    end
    checked_patterns[pattern] = true
    checked_count = checked_count + 1
  end
end

-- What native string.format would show with its address, as our own text.
local function printable(value)
  local kind = type(value)
  if kind == "table" or kind == "function" or kind == "thread" or kind == "userdata" then
    return tostring(value)
  end
  return value
end

local function format_many(pattern, ...)
  local values, count = { ... }, select("#", ...)
  for i = 1, count do
    values[i] = printable(values[i])
  end
  return format(pattern, unpack(values, 1, count))
end

-- `string.format`, without %p; tables and functions are shown by their type.
-- Few values go without a table: LuaJIT compiles that.
function text.format(pattern, ...)
  if not checked_patterns[pattern] then
    check_pattern(pattern)
  end
  local count = select("#", ...)
  if count == 1 then
    return format(pattern, printable((...)))
  elseif count == 2 then
    local a, b = ...
    return format(pattern, printable(a), printable(b))
  elseif count == 3 then
    local a, b, c = ...
    return format(pattern, printable(a), printable(b), printable(c))
  elseif count == 4 then
    local a, b, c, d = ...
    return format(pattern, printable(a), printable(b), printable(c), printable(d))
  end
  return format_many(pattern, ...)
end

-- `string.rep`, up to 1 MiB.
function text.rep(s, count, separator)
  local times = tonumber(count)
  if times and (type(s) == "string" or type(s) == "number") then
    local width = #native_tostring(s) + #native_tostring(separator or "")
    if width * times > MAX_REP_BYTES then
      blame.fail("string.rep makes at most " .. MAX_REP_BYTES .. " bytes")
    elseif width == 0 then
      return ""
    end
  end
  return rep(s, count, separator)
end

local function check_subject(s, name)
  if type(s) == "string" and #s > MAX_SUBJECT_BYTES then
    blame.fail("string." .. name .. " takes at most " .. MAX_SUBJECT_BYTES .. " bytes")
  end
end

function text.find(s, pattern, from, plain)
  if not plain then
    check_subject(s, "find")
  end
  return find(s, pattern, from, plain)
end

function text.match(s, pattern, from)
  check_subject(s, "match")
  return match(s, pattern, from)
end

function text.gmatch(s, pattern)
  check_subject(s, "gmatch")
  return gmatch(s, pattern)
end

-- `string.gsub`; calls of a function (or of a metamethod) nest at most 50 deep.
function text.gsub(s, pattern, replacement, count)
  check_subject(s, "gsub")
  if type(replacement) == "string" then
    return gsub(s, pattern, replacement, count)
  end
  limits.enter("string.gsub")
  local result, times = gsub(s, pattern, replacement, count)
  limits.leave()
  return result, times
end

return text
