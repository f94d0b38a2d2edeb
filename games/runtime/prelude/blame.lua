-- Blame: errors that name the game's own line, and what counts as an object of the engine.
-- An engine error that names a line of the engine helps nobody who writes a game.

local blame = {}

local getinfo, raw_metatable, error, type = debug.getinfo, debug.getmetatable, error, type
local sub, format, find = string.sub, string.format, string.find

-- Deeper than any sane game; a fault with no line beats one that hangs.
local MAX_FRAMES = 200

-- Metatables of what the engine hands out → what to call it.
local engine_objects = {}

-- Chunk names of the engine begin with "@engine/", those of a game hold no slash.
local function where()
  for level = 3, MAX_FRAMES do
    local info = getinfo(level, "Sl")
    if not info then
      return ""
    end
    if info.currentline > 0 and sub(info.source, 1, 8) ~= "@engine/" then
      return format("%s:%d: ", info.short_src, info.currentline)
    end
  end
  return ""
end

-- Raises `message` with the game's file and line in front.
function blame.fail(message)
  error(where() .. message, 0)
end

-- Raises for an argument that is no number; `name` is the function that was called.
function blame.fail_argument(name, value)
  blame.fail(name .. " wants a number, got " .. (value == nil and "nil" or "a " .. type(value)))
end

-- From now on tables with this metatable are engine objects, called `noun` in errors.
function blame.register(metatable, noun)
  metatable.__metatable = false
  engine_objects[metatable] = noun
end

-- What the engine calls this value, or nil if it is none of the engine's.
function blame.noun(value)
  local metatable = raw_metatable(value)
  return metatable and engine_objects[metatable]
end

-- Lists that the engine shares between callers (scene:descendants, scene:tagged, world.players).
blame.shared_list = {
  __newindex = function()
    blame.fail("this list belongs to the engine: copy it before you change it")
  end,
}
blame.register(blame.shared_list, "a list of the engine")

-- Raises unless `t` is a table of the game's own, or, for pairs and next, a list of the engine.
function blame.check_plain_table(t, name)
  if type(t) ~= "table" then
    blame.fail(name .. " wants a table, got " .. (t == nil and "nil" or "a " .. type(t)))
  end
  local metatable = raw_metatable(t)
  if metatable then
    local noun = engine_objects[metatable]
    if noun and (metatable ~= blame.shared_list or name ~= "pairs" and name ~= "next") then
      blame.fail(name .. " cannot be used on " .. noun .. ": read its fields by name, copy its lists first")
    end
  end
end

-- Errors whose place depends on the JIT: no game may catch them, or its history would depend on it too.
function blame.is_resource_error(message)
  if type(message) ~= "string" then
    return false
  end
  return message == "not enough memory"
    or find(message, "stack overflow", 1, true) ~= nil
    or find(message, "error in error handling", 1, true) ~= nil
end

return blame
