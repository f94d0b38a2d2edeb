-- UTF-8: what leaves a world as text is valid, whatever bytes a game made.

local utf8 = {}

local byte, sub, concat = string.byte, string.sub, table.concat

local REPLACEMENT = "\xef\xbf\xbd" -- U+FFFD

local function is_ascii(s)
  for i = 1, #s do
    if byte(s, i) > 127 then
      return false
    end
  end
  return true
end

local function continues(b)
  return b ~= nil and b >= 0x80 and b <= 0xbf
end

-- How many bytes the character at `at` has, and whether they are valid (else: how many to replace by one U+FFFD).
-- The ranges are those of table 3-7 of the Unicode standard; a cut character counts up to where it breaks off.
local function character(s, at)
  local a, b, c, d = byte(s, at, at + 3)
  if a < 0x80 then
    return 1, true
  elseif a < 0xc2 or a > 0xf4 then
    return 1, false
  end
  local low = a == 0xe0 and 0xa0 or a == 0xf0 and 0x90 or 0x80
  local high = a == 0xed and 0x9f or a == 0xf4 and 0x8f or 0xbf
  if b == nil or b < low or b > high then
    return 1, false
  elseif a < 0xe0 then
    return 2, true
  elseif not continues(c) then
    return 2, false
  elseif a < 0xf0 then
    return 3, true
  elseif not continues(d) then
    return 3, false
  end
  return 4, true
end

-- The same text, each invalid sequence replaced by U+FFFD (as Python's errors="replace" does).
function utf8.clean(s)
  if is_ascii(s) then
    return s
  end
  local parts, count, from, at = {}, 0, 1, 1
  while at <= #s do
    local length, valid = character(s, at)
    if not valid then
      parts[count + 1] = sub(s, from, at - 1)
      parts[count + 2] = REPLACEMENT
      count = count + 2
      from = at + length
    end
    at = at + length
  end
  if count == 0 then
    return s
  end
  parts[count + 1] = sub(s, from)
  return concat(parts)
end

return utf8
