-- Guard: while a game answers what somebody may see (observe, describe, view), nothing of the world may change.

local import = ...
local blame = import("blame")

local guard = {}

local reading = nil -- the name of the function that may only read, or nil

-- From here to `guard.leave` every mutator raises.
function guard.enter(name)
  reading = name
end

function guard.leave()
  reading = nil
end

-- Raises if the game may only read now. Every mutator calls this first.
function guard.changing(name)
  if reading then
    blame.fail(name .. " is not possible in " .. reading .. ": it may only read, so that looking never changes a world")
  end
end

return guard
