-- Shared: looks for what a game has changed in the engine's tables where no assignment could be refused. A new index of
-- a list refuses itself (blame.lua), one that is there already does not; a metatable may get a word later. A world with
-- such a change goes on differently once it is restored, so it cannot be saved.

local import = ...
local nodes = import("nodes")
local players = import("players")
local sandbox = import("sandbox")
local tags = import("tags")
local tree = import("tree")

local shared = {}

local CHANGED = "has been changed: it belongs to the engine, copy it before you change it"

-- Returns a path and a reason, or nil if everything is as it should be.
function shared.problem()
  local list, seated = players.list, players.seated
  for i = 1, #seated do
    if list[i] ~= seated[i] then
      return "world.players", CHANGED
    end
  end
  if tree.is_changed(nodes.handle) then
    return "the list of scene:descendants()", CHANGED
  elseif tags.is_changed(nodes.handle) then
    return "the list of scene:tagged()", CHANGED
  end
  local refused = sandbox.refused_metatable()
  if refused then
    return "a metatable", "has a word that is refused: " .. refused
  end
  return nil
end

return shared
