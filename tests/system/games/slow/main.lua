local game = { inputs = {} }

-- About 300 ms on a machine of 2024, at 100 ms a tick: three times what there is.
local ROUNDS = 28000000

function game.setup(world)
  world.state.ticks = 0
  world.state.mark = 0
end

function game.inputs.nudge(world, player, args)
  return { ticks = world.state.ticks }
end

function game.tick(world, dt)
  world.state.ticks = world.state.ticks + 1
  local mark = world.state.mark
  for round = 1, ROUNDS do
    mark = (mark * 5 + round) % 1048573
  end
  world.state.mark = mark
end

function game.observe(world, player)
  return { ticks = world.state.ticks }
end

return game
