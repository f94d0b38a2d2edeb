local game = { inputs = {} }

function game.setup(world)
  world.state = { n = 0, failed = 0, failing = 0, big = {} }
end

function game.inputs.raise(world)
  world.state.n = world.state.n + 1
  error("as I was told")
end

function game.inputs.nest()
  local function deeper()
    return (string.gsub("x", "x", deeper))
  end
  deeper()
end

function game.inputs.fail(world, _, args)
  world.state.failing = args.ticks
end

function game.inputs.recurse(world)
  local function deeper(n)
    return 1 + deeper(n + 1)
  end
  pcall(deeper, 1)
  world.state.n = 1000 -- never: nobody may catch that
end

function game.inputs.grow(world, _, args)
  local big = world.state.big
  for _ = 1, args.mebibytes do
    big[#big + 1] = string.rep(string.format("%08d", #big), 131072)
  end
end

function game.tick(world)
  local state = world.state
  if state.failing > 0 then
    state.failing = state.failing - 1
    state.failed = state.failed + 1
    error("this tick fails")
  end
end

function game.observe(world)
  return { n = world.state.n, failed = world.state.failed }
end

return game
