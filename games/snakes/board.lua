-- Board: cells, and the rules of one turn, as small steps in the order of the standard rules of Battlesnake:
-- all move, all hunger, who can eats, then who starved, left the board or ran into somebody is out, all at once.
-- A cell is a whole number, z * SIZE + x, from 0 in the north-west corner. A body is a list of cells, head first.

local board = {}

local SIZE, CENTRE = 11, 60
local FULL, LENGTH = 100, 3
local FOOD_PERCENT = 15 -- that a turn brings food, if some is left
local STARTS = { 12, 16, 20, 56, 64, 100, 104, 108 }
local DX = { up = 0, down = 0, left = -1, right = 1 }
local DZ = { up = -1, down = 1, left = 0, right = 0 }

board.SIZE, board.FULL = SIZE, FULL

function board.place(cell)
  return cell % SIZE, math.floor(cell / SIZE)
end

function board.new(world)
  local starts = {}
  for i = 1, #STARTS do
    starts[i] = STARTS[i]
  end
  return { snakes = world.map({}), food = { CENTRE }, starts = world.shuffle(starts), born = 0, turn = 0 }
end

-- The snakes that live, in seat order.
function board.living(world)
  local list, snakes = {}, world.state.snakes
  for _, player in ipairs(world.players) do
    local snake = snakes[player.id]
    if snake and snake.alive then
      list[#list + 1] = snake
    end
  end
  return list
end

local function occupied(world)
  local taken, state = {}, world.state
  for _, snake in ipairs(board.living(world)) do
    for i = 1, #snake.body do
      taken[snake.body[i]] = true
    end
  end
  for i = 1, #state.food do
    taken[state.food[i]] = true
  end
  return taken
end

-- A new snake on a free start with free cells around it, or nil if there is none.
function board.hatch(world, player)
  local taken, state = occupied(world), world.state
  for _, start in ipairs(state.starts) do
    if not (taken[start] or taken[start - 1] or taken[start + 1] or taken[start - SIZE] or taken[start + SIZE]) then
      local snake = { id = player.id, alive = true, health = FULL, direction = "up", eaten = 0, outlived = 0 }
      snake.body = { start, start, start }
      assert(#snake.body == LENGTH)
      state.snakes[player.id] = snake
      state.born = state.born + 1
      local x, z = board.place(start)
      local meal = (z + (z < 5 and 1 or -1)) * SIZE + x + (x < 5 and 1 or -1)
      if not taken[meal] then
        table.insert(state.food, meal)
      end
      return snake
    end
  end
  return nil
end

local function move(snake)
  local x, z = board.place(snake.body[1])
  x, z = x + DX[snake.direction], z + DZ[snake.direction]
  if x < 0 or x >= SIZE or z < 0 or z >= SIZE then
    snake.cause = "wall"
    return
  end
  local body = snake.body
  for i = #body, 2, -1 do
    body[i] = body[i - 1]
  end
  body[1] = z * SIZE + x
end

-- Returns whether somebody ate at this cell.
local function feed(snakes, cell)
  local eaten = false
  for i = 1, #snakes do
    local snake = snakes[i]
    if not snake.cause and snake.body[1] == cell then
      snake.health, snake.eaten, eaten = FULL, snake.eaten + 1, true
      snake.body[#snake.body + 1] = snake.body[#snake.body]
    end
  end
  return eaten
end

local function hits(head, body)
  for i = 2, #body do
    if body[i] == head then
      return true
    end
  end
  return false
end

-- What kills a snake among those that neither starved nor left the board; nil if nothing does.
local function collision(snake, snakes)
  local head = snake.body[1]
  if hits(head, snake.body) then
    return "itself", nil
  end
  for i = 1, #snakes do
    local other = snakes[i]
    if other ~= snake and hits(head, other.body) then
      return "body", other.id
    end
  end
  for i = 1, #snakes do
    local other = snakes[i]
    if other ~= snake and other.body[1] == head and #snake.body <= #other.body then
      return "head", other.id
    end
  end
end

local NOBODY = {}

-- Those whom this turn kills; each gets its cause, and perhaps by whom.
local function dying(snakes)
  local dead, colliding = nil, snakes
  for i = 1, #snakes do
    local snake = snakes[i]
    if not snake.cause and snake.health <= 0 then
      snake.cause = "starved"
    end
    if snake.cause then
      dead = dead or {}
      dead[#dead + 1] = snake
    end
  end
  if dead then
    colliding = {}
    for i = 1, #snakes do
      if not snakes[i].cause then
        colliding[#colliding + 1] = snakes[i]
      end
    end
  end
  local hit
  for i = 1, #colliding do
    local cause, by = collision(colliding[i], colliding)
    if cause then
      hit = hit or {}
      hit[#hit + 1] = { snake = colliding[i], cause = cause, by = by }
    end
  end
  for i = 1, hit and #hit or 0 do -- only now: all collide at once
    dead = dead or {}
    hit[i].snake.cause, hit[i].snake.by = hit[i].cause, hit[i].by
    dead[#dead + 1] = hit[i].snake
  end
  return dead or NOBODY
end

-- Plays a turn with the snakes that live. Returns those that died in it, and whether somebody ate.
function board.turn(snakes, food)
  local eaten = false
  for i = 1, #snakes do
    move(snakes[i])
    snakes[i].health = snakes[i].health - 1
  end
  for i = #food, 1, -1 do
    if feed(snakes, food[i]) then
      eaten = true
      table.remove(food, i)
    end
  end
  local dead = dying(snakes)
  for i = 1, #dead do
    dead[i].alive = false
  end
  return dead, eaten
end

-- Perhaps puts food on a free cell.
function board.grow_food(world)
  local food = world.state.food
  if #food > 0 and world.random(100) > FOOD_PERCENT then
    return
  end
  local taken, free = occupied(world), {}
  for cell = 0, SIZE * SIZE - 1 do
    if not taken[cell] then
      free[#free + 1] = cell
    end
  end
  if #free > 0 then
    food[#food + 1] = free[world.random(#free)]
  end
end

return board
