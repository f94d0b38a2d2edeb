-- Decode: MessagePack as Lua values. Reads what Python's side sends and nothing else, so it trusts what it reads.
-- Integers beyond 2^53 lose digits; nil in arrays leaves holes, in maps nothing.

local ffi = require("ffi")
local error, sub, byte, tobit = error, string.sub, string.byte, bit.tobit

local double = ffi.new("union { double number; int32_t halves[2]; }")

local function read_u16(s, at)
  local a, b = byte(s, at, at + 1)
  return a * 256 + b
end

local function read_u32(s, at)
  local a, b, c, d = byte(s, at, at + 3)
  return ((a * 256 + b) * 256 + c) * 256 + d
end

local function read_double(s, at)
  local high, low = read_u32(s, at), read_u32(s, at + 4)
  double.halves[1] = tobit(high)
  double.halves[0] = tobit(low)
  return double.number, at + 8
end

local read_any

local function read_array(s, at, count)
  local list = {}
  for i = 1, count do
    list[i], at = read_any(s, at)
  end
  return list, at
end

local function read_map(s, at, count)
  local map = {}
  for _ = 1, count do
    local key, value
    key, at = read_any(s, at)
    value, at = read_any(s, at)
    map[key] = value
  end
  return map, at
end

local function read_string(s, at, length)
  return sub(s, at, at + length - 1), at + length
end

local readers = {
  [0xc0] = function(_, at)
    return nil, at
  end,
  [0xc2] = function(_, at)
    return false, at
  end,
  [0xc3] = function(_, at)
    return true, at
  end,
  [0xcb] = read_double,
  [0xcc] = function(s, at)
    return byte(s, at), at + 1
  end,
  [0xcd] = function(s, at)
    return read_u16(s, at), at + 2
  end,
  [0xce] = function(s, at)
    return read_u32(s, at), at + 4
  end,
  [0xcf] = function(s, at)
    return read_u32(s, at) * 4294967296 + read_u32(s, at + 4), at + 8
  end,
  [0xd0] = function(s, at)
    local v = byte(s, at)
    return v < 128 and v or v - 256, at + 1
  end,
  [0xd1] = function(s, at)
    local v = read_u16(s, at)
    return v < 32768 and v or v - 65536, at + 2
  end,
  [0xd2] = function(s, at)
    local v = read_u32(s, at)
    return v < 2147483648 and v or v - 4294967296, at + 4
  end,
  [0xd3] = function(s, at)
    local high = read_u32(s, at)
    high = high < 2147483648 and high or high - 4294967296
    return high * 4294967296 + read_u32(s, at + 4), at + 8
  end,
  [0xd9] = function(s, at)
    return read_string(s, at + 1, byte(s, at))
  end,
  [0xda] = function(s, at)
    return read_string(s, at + 2, read_u16(s, at))
  end,
  [0xdb] = function(s, at)
    return read_string(s, at + 4, read_u32(s, at))
  end,
  [0xdc] = function(s, at)
    return read_array(s, at + 2, read_u16(s, at))
  end,
  [0xdd] = function(s, at)
    return read_array(s, at + 4, read_u32(s, at))
  end,
  [0xde] = function(s, at)
    return read_map(s, at + 2, read_u16(s, at))
  end,
  [0xdf] = function(s, at)
    return read_map(s, at + 4, read_u32(s, at))
  end,
}

function read_any(s, at)
  local head = byte(s, at)
  if head < 0x80 then
    return head, at + 1
  elseif head >= 0xe0 then
    return head - 256, at + 1
  elseif head < 0x90 then
    return read_map(s, at + 1, head - 0x80)
  elseif head < 0xa0 then
    return read_array(s, at + 1, head - 0x90)
  elseif head < 0xc0 then
    return read_string(s, at + 1, head - 0xa0)
  end
  local reader = readers[head]
  if not reader then
    error("MessagePack byte " .. head .. " is not used between Python and Lua")
  end
  return reader(s, at + 1)
end

-- Reads the one value that `s` holds.
return function(s)
  local v = read_any(s, 1)
  return v
end
