local game = { inputs = {} }

function game.setup(world)
  world.state.ticks = 0
  world.state.totals = world.map({})
end

function game.join(world, player)
  world.state.totals[player.id] = 0
end

function game.leave(world, player, reason)
  world.state.totals[player.id] = nil
end

function game.inputs.say(world, player, args)
  world.emit("all", "said", { by = player.id, text = args.text })
  return { heard = #world.players }
end

function game.inputs.count(world, player, args)
  if args.by > 100 then
    return world.reject("too_much", "You may add at most 100 at once.")
  end
  local totals = world.state.totals
  totals[player.id] = totals[player.id] + args.by
  world.score(player, totals[player.id])
  return { total = totals[player.id] }
end

function game.tick(world, dt)
  world.state.ticks = world.state.ticks + 1
end

function game.observe(world, player)
  return { ticks = world.state.ticks, total = world.state.totals[player.id] or 0 }
end

function game.describe(world, player)
  return "tick " .. world.tick .. " · you have counted to " .. (world.state.totals[player.id] or 0)
end

return game
