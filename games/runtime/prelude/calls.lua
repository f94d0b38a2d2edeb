-- Calls: how the engine calls a function of the game. Its errors come back as values with a traceback; errors of
-- resources are not the game's to survive, they go on to Python and end the world.

local import = ...
local blame = import("blame")
local effects = import("effects")
local limits = import("limits")
local text = import("text")
local world = import("world")

local calls = {}

local xpcall, error, gsub, traceback = xpcall, error, string.gsub, debug.traceback

calls.last_traceback = "" -- of the last error, without the engine's own frames

-- The stack without the engine's own frames.
local function shortened(stack)
  stack = gsub(stack, "\n[^\n]*engine/[^\n]*", "")
  return (gsub(stack, "\n[^\n]*%[C%][^\n]*", ""))
end

function calls.on_error(problem)
  if blame.is_resource_error(problem) then
    return problem
  end
  local message = text.tostring(problem)
  calls.last_traceback = shortened(traceback(message, 2))
  return message
end

local on_error = calls.on_error

-- Goes on with what xpcall returned: ok, and the result or the message.
function calls.settle(ok, result)
  if not ok and blame.is_resource_error(result) then
    error("resource: " .. result, 0)
  end
  return ok, result
end

local settle = calls.settle

-- f(world, a, b, c), as ok, result or message.
function calls.call(f, a, b, c)
  limits.reset()
  return settle(xpcall(f, on_error, world.object, a, b, c))
end

-- Tells developers that game.NAME raised.
function calls.report_error(name)
  effects.debug("game." .. name .. " raised: " .. calls.last_traceback)
end

return calls
