-- Untitled: two players take stones in turns, and who takes the last one wins. All that changes is in world.state.

local game = { inputs = {} }

function game.setup(world)
  world.state.stones = world.settings.stones
  world.state.next_seat = 1
end

local function whose_turn(world)
  for _, player in ipairs(world.players) do
    if player.seat == world.state.next_seat then
      return player
    end
  end
end

function game.to_act(world)
  local player = whose_turn(world)
  if #world.players < 2 or not player then
    return {}
  end
  return { player }
end

local function win(world, winner)
  world.score(winner, 1)
  world.finish({ winner = winner.id })
end

-- Who goes away loses.
function game.leave(world, player)
  for _, other in ipairs(world.players) do
    if other.id ~= player.id then
      win(world, other)
    end
  end
end

function game.inputs.take(world, player, args)
  local state = world.state
  if args.count > state.stones then
    return world.reject("too_many", "There are not so many stones.", { hint = "take " .. state.stones })
  end
  state.stones = state.stones - args.count
  state.next_seat = 3 - player.seat
  world.emit("all", "taken", { by = player, count = args.count, left = state.stones })
  if state.stones == 0 then
    win(world, player)
  end
end

function game.tick() end

function game.observe(world, player)
  return { you = player, stones = world.state.stones, whose_turn = whose_turn(world) }
end

function game.actions(world, player)
  local found = {}
  if whose_turn(world) == player then
    for count = 1, math.min(3, world.state.stones) do
      found[count] = { name = "take", args = { count = count } }
    end
  end
  return found
end

-- What spectators see: a row of stones. Without this function it would be the nodes of the scene.
function game.view(world)
  local nodes = {}
  for i = 1, world.state.stones do
    nodes[i] = { id = i, kind = "stone", x = i, z = 0 }
  end
  return { nodes = nodes, size = { x = world.settings.stones + 1, z = 2 } }
end

return game
