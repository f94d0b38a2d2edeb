-- Snakes: who plays, what they do and see. The rules of a turn are in board.lua.

local board = require("board")
local text = require("text")

local game = { inputs = {} }

local COLOURS = { "#e06c75", "#61afef", "#98c379", "#e5c07b" }

function game.setup(world)
  world.state = board.new(world)
end

function game.join(world, player)
  if not board.hatch(world, player) then
    world.out(player, { reason = "there is no room for another snake" })
  end
end

local function end_game(world, survivor)
  world.finish({ winner = survivor and survivor.id or nil, turns = world.state.turn })
end

-- Whoever lives has outlived these.
local function bury(world, dead)
  for _, snake in ipairs(dead) do
    local player = world.player(snake.id)
    world.emit("all", "died", { snake = snake.id, cause = snake.cause, by = snake.by })
    world.out(player, { turn = world.state.turn, cause = snake.cause, by = snake.by })
  end
  local living = board.living(world)
  for _, snake in ipairs(living) do
    snake.outlived = snake.outlived + #dead
    world.score(world.player(snake.id), snake.eaten + 10 * snake.outlived)
  end
  if #living == 0 or (#living == 1 and world.state.born > 1) then
    end_game(world, living[1])
  end
end

function game.leave(world, player)
  local snake = world.state.snakes[player.id]
  world.state.snakes[player.id] = nil
  if snake and snake.alive then
    local living = board.living(world)
    if world.state.turn > 0 and #living == 1 and world.state.born > 1 then
      end_game(world, living[1])
    end
  end
end

function game.inputs.move(world, player, args)
  local snake = world.state.snakes[player.id]
  if not snake or not snake.alive then
    return world.reject("out", "Your snake is out of the game.")
  end
  snake.direction = args.direction or snake.direction
end

-- Tells those who have eaten in this turn: a meal fills up.
local function reward(world, snakes)
  for _, snake in ipairs(snakes) do
    if snake.health == board.FULL then
      local player = world.player(snake.id)
      world.emit(player, "ate", { length = #snake.body })
      world.score(player, snake.eaten + 10 * snake.outlived)
    end
  end
end

function game.tick(world)
  local state = world.state
  local living = board.living(world)
  if #living == 0 then
    return
  end
  state.turn = state.turn + 1
  local dead, eaten = board.turn(living, state.food)
  if eaten then
    reward(world, living)
  end
  if #dead > 0 then
    bury(world, dead)
  end
  board.grow_food(world)
end

local function points(cells)
  local list = {}
  for i = 1, #cells do
    local x, z = board.place(cells[i])
    list[i] = { x = x, z = z }
  end
  return list
end

function game.observe(world, player)
  local snakes = {}
  for i, snake in ipairs(board.living(world)) do
    local who = world.player(snake.id)
    snakes[i] = {
      id = snake.id,
      name = who.name,
      seat = who.seat,
      health = snake.health,
      direction = snake.direction,
      body = points(snake.body),
    }
  end
  return {
    turn = world.state.turn,
    size = board.SIZE,
    you = player.id,
    snakes = snakes,
    food = points(world.state.food),
  }
end

function game.describe(world, player)
  return text.describe(world, player)
end

function game.view(world)
  local nodes = {}
  for i, cell in ipairs(world.state.food) do
    local x, z = board.place(cell)
    nodes[#nodes + 1] = { id = 1000 + i, kind = "relic", x = x, z = z, colour = "#f0f0f0", shape = "diamond" }
  end
  for _, snake in ipairs(board.living(world)) do
    local player = world.player(snake.id)
    for i = #snake.body, 1, -1 do
      local x, z = board.place(snake.body[i])
      nodes[#nodes + 1] = {
        id = player.seat * 200 + i,
        kind = i == 1 and "player" or "body",
        name = i == 1 and tostring(player.seat) or "",
        label = i == 1 and player.name or nil,
        x = x,
        z = z,
        colour = COLOURS[player.seat],
        shape = "cell",
      }
    end
  end
  local middle = (board.SIZE - 1) / 2
  return {
    nodes = nodes,
    size = { x = board.SIZE, z = board.SIZE },
    camera = { look = "grid", x = middle, z = middle },
  }
end

return game
