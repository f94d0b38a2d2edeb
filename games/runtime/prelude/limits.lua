-- Limits: calls that a game must not nest without end or catch without consequence.
-- gsub and coroutines recurse on the C stack, where too deep a nest ends the process; errors of resources strike at a
-- place that depends on the JIT, so no game may catch them.

local import = ...
local blame = import("blame")

local limits = {}

local error, pcall, type, xpcall = error, pcall, type, xpcall
local create, resume = coroutine.create, coroutine.resume
local collectgarbage, max = collectgarbage, math.max

local MAX_NESTED = 50
local MAX_MEMORY_KIB = 65536

local look_at_kib = MAX_MEMORY_KIB

-- How deep the nest is now, and how deep it was where the running coroutine was resumed. Within a coroutine only the
-- difference counts: it may be resumed at another depth than the one at which it was left.
local depth, base = 0, 0

-- Enters a call that recurses on the C stack.
function limits.enter(name)
  if depth >= MAX_NESTED then
    blame.fail(name .. " is nested deeper than " .. MAX_NESTED)
  end
  depth = depth + 1
end

function limits.leave()
  depth = depth - 1
end

-- Forgets what an error left behind. Called at every entry from Python.
function limits.reset()
  depth, base = 0, 0
end

-- Raises if the world holds too much when all garbage is collected. Called between two calls of the game. How much it
-- holds differs a little between runs: whoever runs the world writes the fault into its log.
function limits.check_memory()
  if collectgarbage("count") > look_at_kib then
    collectgarbage()
    local held = collectgarbage("count")
    if held > MAX_MEMORY_KIB then
      error("resource: the world holds more than " .. MAX_MEMORY_KIB / 1024 .. " MiB", 0)
    end
    -- The collector lets memory grow by a third between two cycles: do not collect all each time near the limit.
    look_at_kib = max(MAX_MEMORY_KIB, held * 1.35)
  end
end

local function settled(nested, ok, ...)
  depth = base + nested
  if not ok and blame.is_resource_error((...)) then
    error((...), 0)
  end
  return ok, ...
end

-- `pcall`, but for errors of resources.
function limits.pcall(f, ...)
  return settled(depth - base, pcall(f, ...))
end

-- `xpcall`, but for errors of resources: those do not reach the handler, which could make something else of them.
function limits.xpcall(f, handler, ...)
  local function handle(problem)
    if blame.is_resource_error(problem) then
      return problem
    end
    return handler(problem)
  end
  return settled(depth - base, xpcall(f, handle, ...))
end

local function resumed(outer, nested, ...)
  base = outer
  return settled(nested, ...)
end

-- `coroutine.resume`, at most 50 deep.
function limits.resume(thread, ...)
  local outer, nested = base, depth - base
  limits.enter("coroutine.resume")
  base = depth
  return resumed(outer, nested, resume(thread, ...))
end

-- `coroutine.create`
function limits.create(f)
  if type(f) ~= "function" then
    blame.fail("coroutine.create wants a function, got a " .. type(f))
  end
  return create(f)
end

local function unwrapped(ok, ...)
  if not ok then
    error((...), 0)
  end
  return ...
end

-- `coroutine.wrap`, at most 50 deep.
function limits.wrap(f)
  local thread = limits.create(f)
  return function(...)
    return unwrapped(limits.resume(thread, ...))
  end
end

return limits
