-- Codec: Lua values as MessagePack. Everything that crosses between Lua and Python crosses as such bytes; decode.lua is
-- the way back.
-- Equal values give equal bytes in every process: map keys in `pairs` order, whole numbers (up to 2^53) as integers.
-- A table from world.map{} is a map; others that are empty or have exactly the keys 1..n are arrays; keys of maps
-- become strings; engine handles become their id; invalid UTF-8 becomes U+FFFD; NaN and infinities become nil.

local import = ...
local blame = import("blame")
local order = import("order")
local utf8 = import("utf8")

local codec = {}

local ffi = require("ffi")
local next, type, rawget, tostring, setmetatable = next, type, rawget, tostring, setmetatable
local floor, format, char = math.floor, string.format, string.char
local band, rshift, bswap = bit.band, bit.rshift, bit.bswap
local raw_metatable = debug.getmetatable

local MAX_DEPTH = 60
local MAX_INTEGER = 9007199254740992 -- 2^53
-- Encoded forms of short strings are remembered (observations repeat their keys); at this many the memory is emptied.
local REMEMBERED_STRINGS = 2048
local REMEMBERED_LENGTH = 40

local BYTE = {}
for i = 0, 255 do
  BYTE[i] = char(i)
end

local double = ffi.new("union { double number; int32_t halves[2]; }")
local swapped = ffi.new("int32_t[2]")

local function put_u16(buffer, v)
  buffer:put(BYTE[rshift(v, 8)], BYTE[band(v, 255)])
end

local function put_u32(buffer, v)
  buffer:put(BYTE[floor(v / 16777216)], BYTE[floor(v / 65536) % 256], BYTE[floor(v / 256) % 256], BYTE[v % 256])
end

local function put_double(buffer, v)
  double.number = v
  swapped[0] = bswap(double.halves[1])
  swapped[1] = bswap(double.halves[0])
  buffer:put("\xcb"):putcdata(swapped, 8)
end

local function put_natural(buffer, v)
  if v < 128 then
    buffer:put(BYTE[v])
  elseif v < 256 then
    buffer:put("\xcc", BYTE[v])
  elseif v < 65536 then
    buffer:put("\xcd")
    put_u16(buffer, v)
  elseif v < 4294967296 then
    buffer:put("\xce")
    put_u32(buffer, v)
  else
    buffer:put("\xcf")
    put_u32(buffer, floor(v / 4294967296))
    put_u32(buffer, v % 4294967296)
  end
end

local function put_negative(buffer, v)
  if v >= -32 then
    buffer:put(BYTE[256 + v])
  elseif v >= -128 then
    buffer:put("\xd0", BYTE[256 + v])
  elseif v >= -32768 then
    buffer:put("\xd1")
    put_u16(buffer, 65536 + v)
  elseif v >= -2147483648 then
    buffer:put("\xd2")
    put_u32(buffer, 4294967296 + v)
  else
    -- Two's complement in two halves: v = high * 2^32 + low.
    local low = v % 4294967296
    buffer:put("\xd3")
    put_u32(buffer, (v - low) / 4294967296 + 4294967296)
    put_u32(buffer, low)
  end
end

local lost = false -- has a number gone out as nil since the last `codec.put` began?

-- Writes a number. NaN and infinities have no form on the wire: nil.
function codec.put_number(buffer, v)
  if v % 1 == 0 and v <= MAX_INTEGER and v >= -MAX_INTEGER then
    if v >= 0 then
      put_natural(buffer, v)
    else
      put_negative(buffer, v)
    end
  elseif v - v ~= 0 then
    lost = true
    buffer:put("\xc0")
  else
    put_double(buffer, v)
  end
end

local put_number = codec.put_number

local function string_head(length)
  if length < 32 then
    return BYTE[0xa0 + length]
  elseif length < 256 then
    return "\xd9" .. BYTE[length]
  elseif length < 65536 then
    return "\xda" .. BYTE[rshift(length, 8)] .. BYTE[band(length, 255)]
  end
  return "\xdb"
    .. BYTE[floor(length / 16777216)]
    .. BYTE[floor(length / 65536) % 256]
    .. BYTE[floor(length / 256) % 256]
    .. BYTE[length % 256]
end

local encoded, encoded_count = {}, 0

local function put_new_string(buffer, s)
  local clean = utf8.clean(s)
  local head = string_head(#clean)
  if #s > REMEMBERED_LENGTH then
    buffer:put(head, clean)
    return
  end
  if encoded_count >= REMEMBERED_STRINGS then
    encoded, encoded_count = {}, 0
  end
  local whole = head .. clean
  encoded[s] = whole
  encoded_count = encoded_count + 1
  buffer:put(whole)
end

-- Writes a string; what is not UTF-8 in it becomes U+FFFD.
function codec.put_string(buffer, s)
  local whole = encoded[s]
  if whole then
    buffer:put(whole)
  else
    put_new_string(buffer, s)
  end
end

local put_string = codec.put_string

-- Writes the head of an array of `count` values.
function codec.put_array(buffer, count)
  if count < 16 then
    buffer:put(BYTE[0x90 + count])
  elseif count < 65536 then
    buffer:put("\xdc")
    put_u16(buffer, count)
  else
    buffer:put("\xdd")
    put_u32(buffer, count)
  end
end

-- Writes the head of a map of `count` keys and values.
function codec.put_map(buffer, count)
  if count < 16 then
    buffer:put(BYTE[0x80 + count])
  elseif count < 65536 then
    buffer:put("\xde")
    put_u16(buffer, count)
  else
    buffer:put("\xdf")
    put_u32(buffer, count)
  end
end

local put_array, put_map = codec.put_array, codec.put_map

codec.map_metatable = { __metatable = false }

-- Metatable of an engine handle → the function that gives its id on the wire.
local id_of = {}

-- From now on handles with this metatable are written as what `id(handle)` returns.
function codec.register(metatable, id)
  id_of[metatable] = id
end

-- Is t a list, with exactly the keys 1..n? Returns n or nil.
local function list_length(t)
  local count = #t
  local present = 0
  for _ in next, t do
    present = present + 1
  end
  if present ~= count then
    return nil
  end
  for i = 1, count do
    if rawget(t, i) == nil then
      return nil
    end
  end
  return count
end

-- The text of a key that is no string. Numbers keep all their digits.
local function key_text(key)
  if type(key) == "number" then
    return key % 1 == 0 and format("%.0f", key) or format("%.17g", key)
  end
  return tostring(key)
end

local function put_key(buffer, t, key)
  if type(key) == "string" then
    put_string(buffer, key)
    return
  end
  local name = key_text(key)
  if rawget(t, name) ~= nil then
    blame.fail("a table has both the key " .. name .. " and the text \"" .. name .. "\": on the wire they are one")
  end
  put_string(buffer, name)
end

local put_any

local function put_table(buffer, t, depth)
  local metatable = raw_metatable(t)
  local id = metatable and id_of[metatable]
  if id then
    put_any(buffer, id(t), depth)
    return
  end
  if depth > MAX_DEPTH then
    blame.fail("tables are nested deeper than " .. MAX_DEPTH .. ", or contain themselves")
  end
  if next(t) == nil then
    buffer:put(metatable == codec.map_metatable and "\x80" or "\x90")
    return
  end
  local count = metatable ~= codec.map_metatable and rawget(t, 1) ~= nil and list_length(t)
  if count then
    put_array(buffer, count)
    for i = 1, count do
      put_any(buffer, rawget(t, i), depth + 1)
    end
    return
  end
  local run, keys, others = order.keys(t, true)
  put_map(buffer, run + others)
  for i = 1, run do
    put_key(buffer, t, i)
    put_any(buffer, rawget(t, i), depth + 1)
  end
  for i = 1, others do
    local key = keys[i]
    put_key(buffer, t, key)
    put_any(buffer, rawget(t, key), depth + 1)
  end
end

function put_any(buffer, v, depth)
  local kind = type(v)
  if kind == "number" then
    put_number(buffer, v)
  elseif kind == "string" then
    put_string(buffer, v)
  elseif kind == "table" then
    put_table(buffer, v, depth)
  elseif kind == "boolean" then
    buffer:put(v and "\xc3" or "\xc2")
  elseif kind == "nil" then
    buffer:put("\xc0")
  else
    blame.fail("a " .. kind .. " cannot be sent: send numbers, strings, booleans and tables of them")
  end
end

-- Called with `what` and the value when a number in it could not be sent; effects.lua tells the developers.
codec.on_lost = nil

-- Writes any value. Raises on functions, coroutines and tables nested deeper than 60. what: whose value it is, for
-- developers, where numbers in it may have no form on the wire.
function codec.put(buffer, v, what)
  lost = false
  put_any(buffer, v, 1)
  if lost and what then
    codec.on_lost(what, v)
  end
end

-- Marks a table as a map, whatever its keys are: `world.map`.
function codec.map(t)
  t = t == nil and {} or t
  blame.check_plain_table(t, "world.map")
  local metatable = raw_metatable(t)
  if metatable and metatable ~= codec.map_metatable then
    blame.fail("world.map wants a table without a metatable")
  end
  return metatable and t or setmetatable(t, codec.map_metatable)
end

return codec
