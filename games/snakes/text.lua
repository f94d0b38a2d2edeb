-- Text: what a snake sees, in words and as a board of characters.

local board = require("board")

local text = {}

local DIRECTIONS = { "up", "down", "left", "right" }
local DX = { up = 0, down = 0, left = -1, right = 1 }
local DZ = { up = -1, down = 1, left = 0, right = 0 }

local function drawn(world)
  local size, cells = board.SIZE, {}
  for cell = 0, size * size - 1 do
    cells[cell] = "."
  end
  for _, cell in ipairs(world.state.food) do
    cells[cell] = "*"
  end
  for _, snake in ipairs(board.living(world)) do
    local seat = world.player(snake.id).seat
    for i = #snake.body, 1, -1 do
      cells[snake.body[i]] = i == 1 and string.sub("ABCD", seat, seat) or string.sub("abcd", seat, seat)
    end
  end
  return cells
end

local function ahead(cells, head, direction)
  local x, z = board.place(head)
  x, z = x + DX[direction], z + DZ[direction]
  if x < 0 or x >= board.SIZE or z < 0 or z >= board.SIZE then
    return "wall"
  end
  local there = cells[z * board.SIZE + x]
  if there == "." then
    return "free"
  end
  return there == "*" and "food" or "snake " .. there
end

function text.describe(world, player)
  local cells, lines = drawn(world), {}
  local snake = world.state.snakes[player.id]
  if snake and snake.alive then
    local x, z = board.place(snake.body[1])
    local letter = string.sub("ABCD", player.seat, player.seat)
    lines[1] = "turn " .. world.state.turn .. " · you are " .. letter .. " at (" .. x .. "," .. z .. "), heading "
      .. snake.direction .. " · health " .. snake.health .. " · length " .. #snake.body
    local ways = {}
    for i, direction in ipairs(DIRECTIONS) do
      ways[i] = direction .. " " .. ahead(cells, snake.body[1], direction)
    end
    lines[2] = "next to you: " .. table.concat(ways, ", ")
  else
    lines[1] = "turn " .. world.state.turn .. " · you are out"
  end
  for _, other in ipairs(board.living(world)) do
    if other.id ~= player.id then
      local seat = world.player(other.id).seat
      lines[#lines + 1] = string.sub("ABCD", seat, seat) .. " is " .. other.id .. ": length " .. #other.body
        .. ", health " .. other.health
    end
  end
  for z = 0, board.SIZE - 1 do
    lines[#lines + 1] = table.concat(cells, "", z * board.SIZE, z * board.SIZE + board.SIZE - 1)
  end
  return table.concat(lines, "\n")
end

return text
