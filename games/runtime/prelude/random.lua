-- Random: named streams of numbers, a function of the world's seed, saved with the world.
-- xoshiro128** (Blackman and Vigna, 2018) on 32-bit integers; a number in [0, 1) takes two steps, for 53 bits.

local import = ...
local blame = import("blame")
local guard = import("guard")
local text = import("text")

local random = {}

local bxor, lshift, rshift, rol, tobit, band = bit.bxor, bit.lshift, bit.rshift, bit.rol, bit.tobit, bit.band
local floor, type, byte = math.floor, type, string.byte

local STATE = function() end -- the key of a stream's state in its handle: a function that games cannot hold
local MAIN = "main" -- world.random's own stream
local MAX_INTEGER = 9007199254740991

local seed_low, seed_high = 0, 0
local streams = {} -- name → {s0, s1, s2, s3}: what a snapshot holds
local handles = {} -- name → the object that games hold

-- a * b modulo 2^32, exact: products of 16 and 32 bits fit a double.
local function multiply(a, b)
  return tobit(band(a, 0xffff) * b + lshift(tobit(rshift(a, 16) * b), 16))
end

-- The finaliser of MurmurHash3: every bit of x reaches every bit of the result.
local function mix(x)
  x = multiply(bxor(x, rshift(x, 16)), 0x85ebca6b)
  x = multiply(bxor(x, rshift(x, 13)), 0xc2b2ae35)
  return bxor(x, rshift(x, 16))
end

local function seeded(name)
  local hash = tobit(0x811c9dc5) -- FNV-1a
  for i = 1, #name do
    hash = multiply(bxor(hash, byte(name, i)), 16777619)
  end
  local x = bxor(mix(bxor(hash, seed_low)), seed_high)
  local state = {}
  for i = 1, 4 do
    x = tobit(x + 0x9e3779b9)
    state[i] = mix(x)
  end
  if state[1] == 0 and state[2] == 0 and state[3] == 0 and state[4] == 0 then
    state[1] = 1 -- the one state that xoshiro cannot leave
  end
  return state
end

local function draw(state)
  local s0, s1, s2, s3 = state[1], state[2], state[3], state[4]
  local result = tobit(rol(tobit(s1 * 5), 7) * 9)
  s2 = bxor(s2, s0)
  s3 = bxor(s3, s1)
  state[2] = bxor(s1, s2)
  state[1] = bxor(s0, s3)
  state[3] = bxor(s2, lshift(s1, 9))
  state[4] = rol(s3, 11)
  return result
end

local function fraction(state)
  local high = rshift(draw(state), 5)
  return (high * 67108864 + rshift(draw(state), 6)) / 9007199254740992
end

local function check_whole(value, name)
  if type(value) ~= "number" or value % 1 ~= 0 or value > MAX_INTEGER or value < -MAX_INTEGER then
    blame.fail(name .. " wants whole numbers: random() for a fraction, random(n) for 1 to n, random(a, b) for a to b")
  end
end

local function number_from(state, a, b)
  guard.changing("random")
  if a == nil then
    return fraction(state)
  end
  check_whole(a, "random")
  if b == nil then
    a, b = 1, a
  end
  check_whole(b, "random")
  if b < a then
    blame.fail("random(" .. a .. ", " .. b .. "): there is no number in that range")
  end
  return a + floor(fraction(state) * (b - a + 1))
end

local function shuffle_from(state, list)
  guard.changing("shuffle")
  blame.check_plain_table(list, "shuffle")
  for i = #list, 2, -1 do
    local j = 1 + floor(fraction(state) * i)
    list[i], list[j] = list[j], list[i]
  end
  return list
end

local methods = {}

function methods.random(stream, a, b)
  return number_from(stream[STATE], a, b)
end

function methods.shuffle(stream, list)
  return shuffle_from(stream[STATE], list)
end

local stream_metatable = {
  __call = function(stream, a, b)
    return number_from(stream[STATE], a, b)
  end,
  __index = function(_, key)
    local method = methods[key]
    if not method then
      blame.fail("a stream has no " .. text.tostring(key) .. ": call it, or use :random and :shuffle")
    end
    return method
  end,
  __newindex = function()
    blame.fail("a stream cannot be changed")
  end,
}
blame.register(stream_metatable, "a random stream")

local function state_of(name)
  local state = streams[name]
  if not state then
    state = seeded(name)
    streams[name] = state
  end
  return state
end

-- Starts all streams anew for this seed (0 … 2^53-1).
function random.start(seed)
  seed_low = tobit(seed % 4294967296)
  seed_high = tobit(floor(seed / 4294967296))
  streams = {}
  handles = {}
  state_of(MAIN)
end

-- `world.random`, `math.random`: () → [0, 1); (n) → 1..n; (a, b) → a..b.
function random.random(a, b)
  return number_from(streams[MAIN], a, b)
end

-- `world.shuffle`: shuffles a list in place and returns it.
function random.shuffle(list)
  return shuffle_from(streams[MAIN], list)
end

-- `world.stream`: the stream of that name, independent of all others.
function random.stream(name)
  if type(name) ~= "string" or name == "" then
    blame.fail("world.stream wants a name")
  end
  local handle = handles[name]
  if not handle then
    if not streams[name] then
      guard.changing("stream")
    end
    handle = setmetatable({ [STATE] = state_of(name) }, stream_metatable)
    handles[name] = handle
  end
  return handle
end

-- Returns the seed's two halves and all states by name: what a snapshot holds.
function random.save()
  return seed_low, seed_high, streams
end

-- Goes on from what `random.save` returned.
function random.restore(low, high, states)
  seed_low, seed_high = low, high
  streams, handles = states, {}
end

-- All states, by name (never empty): for the fingerprint.
function random.states()
  return streams
end

return random
