-- Hash: one number for the game's own tables, the same however their tables are laid out in memory.
-- It is the sum over all entries of a mix of (path, key, value): no order, so nothing needs to be sorted. It runs in a
-- state of its own, on another thread than the world. Not cryptographic: it finds differences, not forgers.

local import = ...
local saving = import("saving")

local ffi = require("ffi")
local next, type, byte, raw_metatable = next, type, string.byte, debug.getmetatable
local bxor, rshift = bit.bxor, bit.rshift

-- Odd constants with about half of their bits set, from the finalisers of SplitMix64 and MurmurHash3.
local A, B, C = 0xbf58476d1ce4e5b9ULL, 0x94d049bb133111ebULL, 0xff51afd7ed558ccdULL
local PRIME = 0x100000001b3ULL -- of FNV-1a
-- One for each type of value, so that 1, "1" and true differ.
local NUMBER, TEXT, TRUE, FALSE, NODE, PLAYER = 1ULL, 2ULL, 3ULL, 4ULL, 5ULL, 6ULL
local TABLE, MAP = 7ULL, 8ULL

local SIGNED, UNSIGNED = ffi.typeof("int64_t"), ffi.typeof("uint64_t")
local double = ffi.new("union { double number; uint64_t bits; }")
local sums = ffi.new("uint64_t[2]")
local texts = {} -- text → its hash

local function mix(x)
  x = bxor(x, rshift(x, 32)) * A
  x = bxor(x, rshift(x, 29)) * B
  return bxor(x, rshift(x, 32))
end

local function hash_number(v)
  -- Every NaN is the same one: its bits differ between the JIT and the interpreter.
  double.number = v == v and v or 0
  return mix(double.bits * C + (v == v and NUMBER or 0x100ULL))
end

local function hash_text(s)
  local hash = texts[s]
  if not hash then
    hash = 0xcbf29ce484222325ULL
    for i = 1, #s do
      hash = bxor(hash, byte(s, i)) * PRIME
    end
    hash = mix(hash * C + TEXT)
    texts[s] = hash
  end
  return hash
end

local function hash_value(v)
  local kind = type(v)
  if kind == "number" then
    return hash_number(v)
  elseif kind == "string" then
    return hash_text(v)
  elseif kind == "boolean" then
    return mix(v and TRUE or FALSE)
  elseif kind == "table" then
    return mix(raw_metatable(v) and MAP or TABLE)
  end
  -- A node or a player.
  return mix(ffi.cast(UNSIGNED, v) * C + (ffi.istype(SIGNED, v) and NODE or PLAYER))
end

local function add(path, value)
  local entry = mix(path + value * A)
  sums[0] = sums[0] + entry
  sums[1] = sums[1] + mix(entry * C + value)
end

local function walk(t, path)
  for key, value in next, t do
    local below = mix(path * B + hash_value(key))
    add(below, hash_value(value))
    if type(value) == "table" then
      walk(value, below)
    end
  end
end

-- Returns 16 bytes for what `saving.encode` has written.
return function(blob)
  local root = saving.tables(blob)
  texts = {}
  sums[0], sums[1] = 0, 0
  walk(root, 0ULL)
  texts = {}
  return ffi.string(sums, 16)
end
