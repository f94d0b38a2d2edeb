-- Untitled: players walk about and eat the berries that they touch.
-- All that changes is in world.state and in the scene.

local game = { inputs = {} }

local SIZE = 50 -- half the length of a side of the field
local SPEED = 10 -- units per second
local REACH = 1 -- a berry this near is eaten
local SHOWN = 5 -- so many berries are in an observation

local function grow(world)
  world.scene:spawn("berry", {
    x = world.random(-SIZE, SIZE),
    z = world.random(-SIZE, SIZE),
    colour = "#c678dd",
    tags = { "berry" },
  })
end

function game.setup(world)
  world.state.players = {}
  for _ = 1, world.settings.berries do
    grow(world)
  end
end

function game.join(world, player)
  local body = world.scene:spawn("player", { name = tostring(player.seat), label = player.name })
  world.state.players[player.id] = { body = body, eaten = 0 }
end

function game.leave(world, player)
  world.state.players[player.id].body:destroy()
  world.state.players[player.id] = nil
end

function game.inputs.walk(world, player, args)
  local me = world.state.players[player.id]
  if me.body.x == args.x and me.body.z == args.z then
    return world.reject("already_there", "You stand on that point.", { hint = "walk to a berry" })
  end
  me.to = { x = args.x, z = args.z }
end

local function walk(world, player, me, dt)
  local body, to = me.body, me.to
  local dx, dz = to.x - body.x, to.z - body.z
  local distance = math.sqrt(dx * dx + dz * dz)
  if distance <= SPEED * dt then
    body:set({ x = to.x, z = to.z })
    me.to = nil
    world.emit(player, "arrived")
  else
    body:set({ x = body.x + dx / distance * SPEED * dt, z = body.z + dz / distance * SPEED * dt })
  end
end

function game.tick(world, dt)
  for _, player in ipairs(world.players) do
    local me = world.state.players[player.id]
    if me.to then
      walk(world, player, me, dt)
    end
    for _, berry in ipairs(world.scene:within(me.body.x, me.body.z, REACH, "berry")) do
      me.eaten = me.eaten + 1
      world.emit(player, "ate", { berry = berry.id })
      world.score(player, me.eaten)
      berry:destroy()
      grow(world)
    end
  end
end

-- The nearest berries, the nearest first.
local function berries_near(world, body)
  local found = {}
  for i, berry in ipairs(world.scene:tagged("berry")) do
    local dx, dz = berry.x - body.x, berry.z - body.z
    found[i] = { id = berry.id, x = berry.x, z = berry.z, distance = math.sqrt(dx * dx + dz * dz) }
  end
  table.sort(found, function(a, b)
    return a.distance < b.distance
  end)
  local near = {}
  for i = 1, math.min(SHOWN, #found) do
    near[i] = found[i]
  end
  return near
end

function game.observe(world, player)
  local me = world.state.players[player.id]
  return {
    x = me.body.x,
    z = me.body.z,
    eaten = me.eaten,
    walking = me.to ~= nil,
    near = berries_near(world, me.body),
  }
end

-- What a language model reads. Without this function it would get the fields above, one per line.
function game.describe(world, player)
  local seen = game.observe(world, player)
  local lines = {
    string.format("you are at (%.1f, %.1f), %s; berries eaten: %d", seen.x, seen.z,
      seen.walking and "walking" or "standing", seen.eaten),
  }
  for _, berry in ipairs(seen.near) do
    lines[#lines + 1] = string.format("berry %d, %.1f away: walk to x %d, z %d", berry.id, berry.distance, berry.x,
      berry.z)
  end
  return table.concat(lines, "\n")
end

function game.actions()
  return { { name = "walk" } }
end

return game
