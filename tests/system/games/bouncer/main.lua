-- A game that sends players away: whom an input names, and anybody called "troll" as they come.
local game = { inputs = {} }

function game.setup(world)
  world.state.counted, world.state.left = 0, {}
end

function game.join(world, player)
  if player.name == "troll" then
    world.kick(player, "no trolls")
  end
end

function game.leave(world, player, reason)
  table.insert(world.state.left, player.id .. " " .. reason)
end

function game.inputs.kick(world, player, args)
  world.kick(world.player(args.player), args.reason)
end

function game.inputs.count(world)
  world.state.counted = world.state.counted + 1
  return { counted = world.state.counted }
end

function game.observe(world)
  return { counted = world.state.counted, left = world.state.left }
end

return game
