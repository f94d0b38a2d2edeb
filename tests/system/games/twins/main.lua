local game = { inputs = {} }

local function note(world, player, what)
  table.insert(world.state.picks, world.tick .. ":" .. player.id .. ":" .. what)
end

function game.setup(world)
  world.state.picks = {}
  if world.settings.start > 0 then
    table.insert(world.state.picks, "start:" .. world.settings.start .. ":" .. world.random(1000000))
  end
end

function game.inputs.pick(world, player, args)
  note(world, player, args.n)
  world.emit(player, "picked", {})
  return { n = args.n }
end

function game.inputs.retire(world, player)
  note(world, player, "out")
  world.out(player, { at = world.tick })
end

function game.inputs.stop(world)
  world.finish({ ticks = world.tick })
end

function game.observe(world)
  return { picks = world.state.picks }
end

return game
