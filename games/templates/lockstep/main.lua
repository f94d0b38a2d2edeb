-- Untitled: all move at once over a board, and pick up coins. All that changes is in world.state.

local game = { inputs = {} }

local SIZE = 9
local COINS = 6
local STEPS = { up = { 0, -1 }, down = { 0, 1 }, left = { -1, 0 }, right = { 1, 0 }, stay = { 0, 0 } }

local function lay(world)
  local coins = world.state.coins
  coins[#coins + 1] = { x = world.random(SIZE), z = world.random(SIZE) }
end

function game.setup(world)
  world.state.players, world.state.coins = {}, {}
  for _ = 1, COINS do
    lay(world)
  end
end

function game.join(world, player)
  world.state.players[player.id] = { x = world.random(SIZE), z = world.random(SIZE), found = 0, direction = "stay" }
end

function game.leave(world, player)
  world.state.players[player.id] = nil
end

function game.inputs.move(world, player, args)
  local me, step = world.state.players[player.id], STEPS[args.direction]
  local x, z = me.x + step[1], me.z + step[2]
  if x < 1 or x > SIZE or z < 1 or z > SIZE then
    return world.reject("wall", "There is a wall.", { hint = "move another way, or stay" })
  end
  me.direction = args.direction
end

-- Gives the coins on a player's cell to it; who sits on a lower seat comes first.
local function collect(world, player, me)
  local coins = world.state.coins
  for i = #coins, 1, -1 do
    if coins[i].x == me.x and coins[i].z == me.z then
      table.remove(coins, i)
      me.found = me.found + 1
      world.score(player, me.found)
      world.emit(player, "found", { coins = me.found })
      lay(world)
    end
  end
end

function game.tick(world)
  for _, player in ipairs(world.players) do
    local me = world.state.players[player.id]
    local step = STEPS[me.direction]
    me.x, me.z, me.direction = me.x + step[1], me.z + step[2], "stay"
  end
  local scores = {}
  for _, player in ipairs(world.players) do
    local me = world.state.players[player.id]
    collect(world, player, me)
    scores[player.id] = me.found
  end
  if world.tick >= world.settings.turns then
    world.finish({ scores = scores })
  end
end

function game.observe(world, player)
  local me = world.state.players[player.id]
  return {
    turn = world.tick,
    turns = world.settings.turns,
    size = SIZE,
    x = me.x,
    z = me.z,
    coins = me.found,
    lying = world.state.coins,
  }
end

function game.actions(world, player)
  local me, found = world.state.players[player.id], {}
  for _, direction in ipairs({ "up", "down", "left", "right", "stay" }) do
    local x, z = me.x + STEPS[direction][1], me.z + STEPS[direction][2]
    if x >= 1 and x <= SIZE and z >= 1 and z <= SIZE then
      found[#found + 1] = { name = "move", args = { direction = direction } }
    end
  end
  return found
end

-- What spectators see. Without this function it would be the nodes of the scene.
function game.view(world)
  local nodes = {}
  for i, coin in ipairs(world.state.coins) do
    nodes[i] = { id = 100 + i, kind = "coin", x = coin.x, z = coin.z, colour = "#e5c07b" }
  end
  for _, player in ipairs(world.players) do
    local me = world.state.players[player.id]
    nodes[#nodes + 1] = {
      id = player.seat,
      kind = "player",
      name = tostring(player.seat),
      label = player.name,
      x = me.x,
      z = me.z,
    }
  end
  return { nodes = nodes, size = { x = SIZE + 1, z = SIZE + 1 } }
end

return game
