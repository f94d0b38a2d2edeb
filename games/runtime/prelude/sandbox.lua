-- Sandbox: the globals of a game. A whitelist of copies: what is not named here does not exist for a game.
-- The real globals stay with the engine, which calls string.sub(s) and never s:sub(): the methods of strings are the
-- game's own copy.

local import = ...
local blame = import("blame")
local limits = import("limits")
local math_arc = import("math_arc")
local math_exp = import("math_exp")
local math_log = import("math_log")
local math_pow = import("math_pow")
local math_trig = import("math_trig")
local nearest = import("nearest")
local order = import("order")
local random = import("random")
local text = import("text")

local sandbox = {}

local type, rawget, rawset, setmetatable, getmetatable = type, rawget, rawset, setmetatable, getmetatable
local setfenv, loadstring, sub = setfenv, loadstring, string.sub

local function copy(source, names)
  local result = {}
  for name in string.gmatch(names, "%S+") do
    result[name] = source[name]
  end
  return result
end

local strings = copy(string, "byte char len lower reverse sub upper")
strings.find, strings.match, strings.gmatch, strings.gsub = text.find, text.match, text.gmatch, text.gsub
strings.format, strings.rep = text.format, text.rep

-- Exact on every CPU. Those of libm (sin, exp, pow …) differ between machines: the engine has its own.
local maths = copy(math, "floor ceil sqrt min max abs fmod modf frexp ldexp huge pi")
maths.random = random.random
maths.sin, maths.cos, maths.tan = math_trig.sin, math_trig.cos, math_trig.tan
maths.asin, maths.acos, maths.atan, maths.atan2 = math_arc.asin, math_arc.acos, math_arc.atan, math_arc.atan2
maths.exp, maths.sinh, maths.cosh, maths.tanh = math_exp.exp, math_exp.sinh, math_exp.cosh, math_exp.tanh
maths.log, maths.log10, maths.pow = math_log.log, math_log.log10, math_pow.pow

local tables = copy(table, "concat maxn")
tables.sort = order.sort
tables.unpack = unpack

local native_insert, native_remove, native_move = table.insert, table.remove, table.move

function tables.move(from, first, last, to, target)
  blame.check_plain_table(target or from, "table.move")
  return native_move(from, first, last, to, target or from)
end

function tables.insert(list, ...)
  if getmetatable(list) ~= nil then
    blame.check_plain_table(list, "table.insert")
  end
  return native_insert(list, ...)
end

function tables.remove(list, at)
  if getmetatable(list) ~= nil then
    blame.check_plain_table(list, "table.remove")
  end
  if at == nil then
    return native_remove(list)
  end
  return native_remove(list, at)
end

local coroutines = copy(coroutine, "yield status running isyieldable")
coroutines.create, coroutines.resume, coroutines.wrap = limits.create, limits.resume, limits.wrap

local function plain(f, name)
  return function(t, ...)
    blame.check_plain_table(t, name)
    return f(t, ...)
  end
end

-- Every metatable that the game uses: a word may be built and put into one later.
local metatables = setmetatable({}, { __mode = "k" })

local function set_metatable(t, metatable)
  blame.check_plain_table(t, "setmetatable")
  if type(metatable) == "table" and (rawget(metatable, "__gc") ~= nil or rawget(metatable, "__mode") ~= nil) then
    blame.fail("__gc and __mode show when memory is collected, which differs between two runs")
  end
  if metatable then
    metatables[metatable] = true
  end
  return setmetatable(t, metatable)
end

-- Returns a reason if a metatable that is in use has got a word that `set_metatable` refuses, else nil.
function sandbox.refused_metatable()
  for metatable in next, metatables do
    if rawget(metatable, "__mode") ~= nil or rawget(metatable, "__gc") ~= nil then
      return "__gc and __mode show when memory is collected, which differs between two runs"
    end
  end
  return nil
end

-- Makes the environment of a game. `debug_line(text)` gets what the game prints.
local function new_globals(debug_line)
  local globals = copy(_G, "assert error getmetatable ipairs rawequal select tonumber type unpack")
  globals.pairs, globals.next = order.pairs, order.next
  globals.tostring = text.tostring
  globals.pcall, globals.xpcall = limits.pcall, limits.xpcall
  globals.rawget, globals.rawset = plain(rawget, "rawget"), plain(rawset, "rawset")
  globals.setmetatable = set_metatable
  globals.string, globals.math, globals.table = strings, maths, tables
  globals.coroutine = coroutines
  globals.bit = copy(bit, "tobit bnot band bor bxor lshift rshift arshift rol ror bswap tohex")
  function globals.print(...)
    local parts = { ... }
    for i = 1, select("#", ...) do
      parts[i] = text.tostring(parts[i])
    end
    debug_line(table.concat(parts, " "))
  end
  return globals
end

local function global_names(globals)
  local names = {}
  for name in next, globals do
    names[#names + 1] = name
  end
  order.sort_plain(names, #names)
  return names
end

-- Raises on names that do not exist, and on new globals once the game is loaded.
local function make_strict(globals, state)
  local known = global_names(globals)
  setmetatable(globals, {
    __metatable = false,
    __index = function(_, name)
      blame.fail("there is no global " .. text.tostring(name) .. nearest.hint(name, known))
    end,
    __newindex = function(_, name, value)
      if state.loaded then
        local shown = text.tostring(name)
        blame.fail("global " .. shown .. " would be lost when a world is restored: use world.state or a local")
      end
      rawset(globals, name, value)
    end,
  })
end

local chunks = {} -- module name → its compiled chunk
local state = { loaded = false }
local globals

-- Must be called once before any game code is added.
function sandbox.open(debug_line)
  globals = new_globals(debug_line)
  make_strict(globals, state)
  local metatable = debug.getmetatable("")
  metatable.__index = copy(strings, "byte char len lower reverse sub upper find match gmatch gsub format rep")
  metatable.__metatable = false
end

-- Compiles one file of the game ("main.lua") in the sandbox. Returns nil, or why it cannot be compiled.
function sandbox.add(file, source)
  local chunk, problem = loadstring(source, "@" .. file)
  if not chunk then
    return problem
  end
  chunks[sub(file, 1, -5)] = setfenv(chunk, globals)
  return nil
end

local results, loading = {}, {}

-- `require`: runs a module of the game's own folder once and returns what it returned (or true).
function sandbox.require(name)
  if type(name) ~= "string" or not chunks[name] or name == "main" then
    local shown = text.tostring(name)
    blame.fail("there is no module " .. shown .. " in this game (require wants a file's name without .lua)")
  end
  if results[name] == nil then
    if loading[name] then
      blame.fail("module " .. name .. " requires itself, through others or directly")
    end
    loading[name] = true
    local result = chunks[name](name)
    loading[name] = nil
    results[name] = result == nil and true or result
  end
  return results[name]
end

-- Runs main.lua and returns what it returned. Afterwards the game can make no new globals.
function sandbox.run_main()
  rawset(globals, "require", sandbox.require)
  return chunks.main()
end

function sandbox.close()
  state.loaded = true
end

return sandbox
