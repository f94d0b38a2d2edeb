-- Limits: calls that a game must not nest without end or catch without consequence.
-- gsub and coroutines recurse on the C stack, where too deep a nest ends the process; errors of resources strike at a
-- place that depends on the JIT, so no game may catch them.

local import = ...
local blame = import("blame")

local limits = {}

local error, pcall, xpcall = error, pcall, xpcall
local create, resume = coroutine.create, coroutine.resume

local MAX_NESTED = 50

local depth = 0

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
  depth = 0
end

local function settled(before, ok, ...)
  depth = before
  if not ok and blame.is_resource_error((...)) then
    error((...), 0)
  end
  return ok, ...
end

-- `pcall`, but for errors of resources.
function limits.pcall(f, ...)
  return settled(depth, pcall(f, ...))
end

-- `xpcall`, but for errors of resources: those do not reach the handler, which could make something else of them.
function limits.xpcall(f, handler, ...)
  local function handle(problem)
    if blame.is_resource_error(problem) then
      return problem
    end
    return handler(problem)
  end
  return settled(depth, xpcall(f, handle, ...))
end

-- `coroutine.resume`, at most 50 deep.
function limits.resume(thread, ...)
  limits.enter("coroutine.resume")
  return settled(depth - 1, resume(thread, ...))
end

local function unwrapped(ok, ...)
  if not ok then
    error((...), 0)
  end
  return ...
end

-- `coroutine.wrap`, at most 50 deep.
function limits.wrap(f)
  local thread = create(f)
  return function(...)
    return unwrapped(limits.resume(thread, ...))
  end
end

return limits
