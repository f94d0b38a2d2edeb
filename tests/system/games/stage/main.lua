local game = { inputs = {} }

function game.setup(world)
  world.state.torn = false
  world.state.puts = 0
  world.state.lamp = world.scene:spawn("lamp", { name = "lamp", x = 0 }).id
end

local function put(world, name, x, label)
  local thing = world.scene:find(name)
  if thing then
    thing.x = x
  else
    world.scene:spawn("thing", { name = name, x = x, label = label })
  end
end

function game.inputs.put(world, player, args)
  put(world, args.name, args.x)
  world.state.puts = world.state.puts + 1
  world.score(player, world.state.puts)
  world.emit("all", "put", { name = args.name })
end

function game.inputs.take(world, player, args)
  local thing = world.scene:find(args.name)
  if not thing then
    return world.reject("not_there", "There is no " .. args.name .. ".")
  end
  thing:destroy()
end

function game.inputs.fill(world, player, args)
  for i = 1, args.count do
    put(world, "many-" .. i, args.x, string.rep("m", args.label))
  end
end

function game.inputs.tear(world, player, args)
  world.state.torn = args.torn
end

function game.inputs.finish(world)
  world.finish({ done = true })
end

function game.tick(world, dt) end

function game.observe(world, player)
  return { things = #world.scene:descendants() }
end

function game.view(world)
  if world.state.torn then
    error("the view is torn")
  end
  local nodes = {}
  for i, node in ipairs(world.scene:descendants()) do
    nodes[i] = { id = node.id, kind = node.kind, name = node.name, x = node.x, label = node.label }
  end
  return { nodes = nodes, size = { x = 2000 } }
end

return game
