-- Limits: calls that a game must not nest without end or catch without consequence.
-- gsub and coroutines recurse on the C stack, where too deep a nest ends the process; errors of resources strike at a
-- place that depends on the JIT, so no game may catch them.

local import = ...
local blame = import("blame")

local limits = {}

local error, pcall, type, xpcall = error, pcall, type, xpcall
local create, resume = coroutine.create, coroutine.resume

local MAX_NESTED = 50

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
