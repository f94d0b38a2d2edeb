-- Bytes: plain data as bytes and back, for what a snapshot holds beside the game's own tables.
-- Little-endian; equal data gives equal bytes. It reads only what it has written itself: whoever keeps snapshots checks
-- that they are whole.

local bytes = {}

local ffi = require("ffi")
local sub, error = string.sub, error

local number = ffi.new("double[1]")
local doubles, indices, room = nil, nil, 0 -- scratch for one column

-- Returns room for so many numbers and so many indices.
local function scratch(count)
  if count > room then
    room = count * 2
    doubles, indices = ffi.new("double[?]", room), ffi.new("uint32_t[?]", room)
  end
  return doubles, indices
end

function bytes.put_number(buffer, v)
  number[0] = v
  buffer:putcdata(number, 8)
end

local put_number = bytes.put_number

function bytes.put_text(buffer, s)
  put_number(buffer, #s)
  buffer:put(s)
end

-- Writes column[slots[i]] for i = 1..count, numbers that are `default` in most columns: then one byte is enough.
function bytes.put_numbers(buffer, column, slots, count, default)
  local out = scratch(count)
  local differs = false
  for i = 1, count do
    local v = column[slots[i]]
    out[i - 1] = v
    differs = differs or v ~= default
  end
  -- -0 is no other number than 0, but another value.
  for i = 1, default == 0 and not differs and count or 0 do
    differs = differs or 1 / out[i - 1] < 0
  end
  buffer:put(differs and "\1" or "\0")
  if differs then
    buffer:putcdata(out, count * 8)
  end
end

-- Writes index_of(column[slots[i]]) for i = 1..count, whole numbers from 0; 0 in all of them is one byte.
function bytes.put_indices(buffer, column, slots, count, index_of)
  local _, out = scratch(count)
  local differs = false
  for i = 1, count do
    local v = index_of[column[slots[i]]]
    out[i - 1] = v
    differs = differs or v ~= 0
  end
  buffer:put(differs and "\1" or "\0")
  if differs then
    buffer:putcdata(out, count * 4)
  end
end

local function take(reader, size)
  local at = reader.at
  if at + size > #reader.text then
    error("a snapshot ends too early: it is not whole")
  end
  reader.at = at + size
  return reader.start + at
end

-- A reader of what the functions above have written.
function bytes.reader(s)
  return { text = s, start = ffi.cast("const uint8_t *", s), at = 0 }
end

function bytes.number(reader)
  ffi.copy(number, take(reader, 8), 8)
  return number[0]
end

function bytes.text(reader)
  local size = bytes.number(reader)
  local at = reader.at
  take(reader, size)
  return sub(reader.text, at + 1, at + size)
end

-- Reads numbers into column[1..count].
function bytes.numbers(reader, column, count, default)
  local differs = take(reader, 1)[0] == 1
  local values = scratch(count)
  if differs then
    ffi.copy(values, take(reader, count * 8), count * 8)
  end
  for i = 1, count do
    column[i] = differs and values[i - 1] or default
  end
end

-- Reads indices and puts values[index] into column[1..count].
function bytes.indices(reader, column, count, values)
  local differs = take(reader, 1)[0] == 1
  local _, found = scratch(count)
  if differs then
    ffi.copy(found, take(reader, count * 4), count * 4)
  end
  for i = 1, count do
    column[i] = values[differs and found[i - 1] or 0]
  end
end

return bytes
