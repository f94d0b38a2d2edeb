local game = { inputs = {} }

local function spin_if(world, where)
  while world.state.spin == where do
  end
end

function game.setup(world)
  world.state.spin = "nowhere"
end

function game.inputs.spin(world, player, args)
  world.state.spin = args.where
  spin_if(world, "input")
end

function game.tick(world, dt)
  spin_if(world, "tick")
end

function game.observe(world, player)
  spin_if(world, "observe")
  return { ticks = world.tick }
end

return game
