local game = { inputs = {} }

function game.inputs.wave(world, player, args)
  world.emit("all", "waved", { by = player.id })
end

function game.observe(world, player)
  return { players = #world.players }
end

return game
