-- Effects: what a call did that Python must know, as one blob of MessagePack: an array of effects in order.
-- Python chains the bytes of the effects into the world's fingerprint, so they hold nothing that two runs could
-- disagree on; lines for developers go another way. The tags and fields are those of games/runtime/effects.py.

local import = ...
local blame = import("blame")
local codec = import("codec")
local order = import("order")

local effects = {}

local ffi = require("ffi")
local string_buffer = require("string.buffer")
local put_number, put_string, put_array, put = codec.put_number, codec.put_string, codec.put_array, codec.put
local floor, rawget, type = math.floor, rawget, type

local JOINED, LEFT, OUTCOME, EMITTED, SCORED, REWARDED, FINISHED, TICK_FAILED = 1, 2, 3, 4, 5, 6, 7, 8
local OUT = 9

-- A game that says more than this in one call is told so by a last line.
local MAX_DEBUG_LINES = 100

local HEAD = "\xdd\0\0\0\0" -- an array; its length is written when the blob leaves
local buffer = string_buffer.new()
local count = 0
local draft = string_buffer.new() -- one effect: a value that cannot be written raises here and leaves nothing behind
local lines, line_count = {}, 0

effects.tick = 0 -- of the effects to come

local function begin(tag, fields)
  draft:reset()
  put_array(draft, fields + 2)
  put_number(draft, tag)
  put_number(draft, effects.tick)
end

local function commit()
  if count == 0 then
    buffer:reset()
    buffer:put(HEAD)
  end
  count = count + 1
  buffer:put(draft:tostring())
end

function effects.joined(player)
  begin(JOINED, 1)
  put_string(draft, player)
  commit()
end

-- message: what the game says to a player whom it sends away, or nil for one who leaves.
function effects.left(player, reason, message)
  begin(LEFT, message and 3 or 2)
  put_string(draft, player)
  put_string(draft, reason)
  if message then
    put_string(draft, message)
  end
  commit()
end

-- code, message, hint: texts or nil. result: any value.
function effects.outcome(player, seq, status, code, message, hint, result)
  begin(OUTCOME, 7)
  put_string(draft, player)
  put_number(draft, seq)
  put_string(draft, status)
  put(draft, code)
  put(draft, message)
  put(draft, hint)
  put(draft, result, "the result of an input")
  commit()
end

-- to: a list of player ids, or nil for all.
function effects.emitted(to, kind, data)
  begin(EMITTED, 3)
  put(draft, to)
  put_string(draft, kind)
  put(draft, data)
  commit()
end

function effects.scored(player, score)
  begin(SCORED, 2)
  put_string(draft, player)
  put_number(draft, score)
  commit()
end

function effects.rewarded(player, amount)
  begin(REWARDED, 2)
  put_string(draft, player)
  put_number(draft, amount)
  commit()
end

function effects.out(player, result)
  begin(OUT, 2)
  put_string(draft, player)
  put(draft, result)
  commit()
end

function effects.finished(result)
  begin(FINISHED, 1)
  put(draft, result, "what world.finish was given")
  commit()
end

-- in_a_row: how many ticks have raised one after another.
function effects.tick_failed(in_a_row)
  begin(TICK_FAILED, 1)
  put_number(draft, in_a_row)
  commit()
end

-- A line for developers: not in the state, not in the fingerprint.
function effects.debug(line)
  line_count = line_count + 1
  if line_count <= MAX_DEBUG_LINES then
    lines[line_count] = { effects.tick, line }
  elseif line_count == MAX_DEBUG_LINES + 1 then
    lines[line_count] = { effects.tick, "more than " .. MAX_DEBUG_LINES .. " lines in one call: the rest is left out" }
  end
end

-- The way to the first number that is NaN or infinite, in the order of keys; or nil.
local function way_to_odd(value, way)
  if type(value) == "number" then
    return value - value ~= 0 and way or nil
  elseif type(value) ~= "table" or blame.noun(value) then
    return nil
  end
  local run, others, others_count = order.keys(value, true)
  for i = 1, run + others_count do
    local key = i <= run and i or others[i - run]
    local found = way_to_odd(rawget(value, key), way .. (type(key) == "string" and "." .. key or "[" .. key .. "]"))
    if found then
      return found
    end
  end
end

function codec.on_lost(what, value)
  local way = way_to_odd(value, "")
  local where = way and way ~= "" and " at " .. way or ""
  effects.debug(what .. " has a number that cannot be sent" .. where .. ": it goes out as null")
end

local function take_lines()
  local out = string_buffer.new()
  put(out, lines)
  lines, line_count = {}, 0
  return out:tostring()
end

-- Returns the effects since the last call and the debug lines, each as a blob or nil.
function effects.take()
  local blob
  if count > 0 then
    local head = ffi.cast("uint8_t *", (buffer:ref()))
    head[1], head[2] = floor(count / 16777216), floor(count / 65536) % 256
    head[3], head[4] = floor(count / 256) % 256, count % 256
    blob = buffer:tostring()
    count = 0
    buffer:reset()
  end
  if line_count > 0 then
    return blob, take_lines()
  end
  return blob
end

return effects
