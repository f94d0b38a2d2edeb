-- Parley: private hands and goals, one move a turn, trades between two.

local game = { inputs = {} }

local GOODS = { "wood", "stone", "grain", "gold" }
local HAND = 2 -- of each good, at the beginning
local GOALS = { 5, 3 } -- so many of one good, and so many of another
local POINTS = 10

local function player_on(world, seat)
  for _, player in ipairs(world.players) do
    if player.seat == seat then
      return player
    end
  end
  return nil
end

local function score(world, player)
  local held, points = world.state.hands[player.id], 0
  for _, goal in ipairs(world.state.goals[player.id]) do
    if held[goal.good] >= goal.count then
      points = points + POINTS
    end
  end
  world.score(player, points)
end

-- The seat after this one in which somebody sits who is not leaving, and whether a round is over; nil if there is none.
local function next_seat(world, seat, leaving)
  local first, following
  for _, player in ipairs(world.players) do
    if player ~= leaving then
      first = first or player.seat
      if player.seat > seat then
        following = following or player.seat
      end
    end
  end
  return following or first, following == nil
end

local function drop_offers(world, is_gone)
  local offers = world.state.offers
  for i = #offers, 1, -1 do
    if is_gone(offers[i]) then
      table.remove(offers, i)
    end
  end
end

-- The turn goes to the next player; whose turn it is has no open offers any more.
local function pass_on(world, leaving)
  local state = world.state
  local seat, round_over = next_seat(world, state.seat, leaving)
  if round_over then
    state.round = state.round + 1
  end
  state.seat = seat or 0
  local player = player_on(world, state.seat)
  if player then
    drop_offers(world, function(offer)
      return offer.by == player.id
    end)
  end
  if state.round > world.settings.rounds then
    local scores = world.map({})
    for _, one in ipairs(world.players) do
      local points = 0
      for _, goal in ipairs(state.goals[one.id]) do
        points = points + (state.hands[one.id][goal.good] >= goal.count and POINTS or 0)
      end
      scores[one.id] = points
    end
    world.finish({ scores = scores })
  end
end

function game.setup(world)
  world.state = {
    round = 1, seat = 0, next_offer = 1, first_good = world.random(#GOODS),
    hands = world.map({}), goals = world.map({}), offers = {},
  }
end

function game.join(world, player)
  local state = world.state
  local hand, goals = {}, {}
  for _, good in ipairs(GOODS) do
    hand[good] = HAND
  end
  local main = (state.first_good + player.seat) % #GOODS
  local other = (main + world.random(#GOODS - 1)) % #GOODS
  goals[1] = { good = GOODS[main + 1], count = GOALS[1] }
  goals[2] = { good = GOODS[other + 1], count = GOALS[2] }
  state.hands[player.id], state.goals[player.id] = hand, goals
  if state.seat == 0 then
    state.seat = player.seat
  end
end

function game.leave(world, player)
  local state = world.state
  if state.seat == player.seat then
    pass_on(world, player)
  end
  drop_offers(world, function(offer)
    return offer.by == player.id or offer.to == player.id
  end)
  state.hands[player.id], state.goals[player.id] = nil, nil
end

function game.to_act(world)
  return { player_on(world, world.state.seat) }
end

function game.inputs.say(world, player, args)
  world.emit("all", "said", { by = player.id, text = args.text })
end

function game.inputs.offer(world, player, args)
  local state, to = world.state, world.player(args.to)
  if not to or to == player then
    return world.reject("nobody", "There is no other player " .. args.to .. ".")
  end
  if args.give == args.want then
    return world.reject("same_good", "A trade is of two different goods.")
  end
  if state.hands[player.id][args.give] < args.give_count then
    local held = state.hands[player.id][args.give]
    return world.reject("too_few", "You hold " .. held .. " " .. args.give .. ".")
  end
  local id = "o_" .. state.next_offer
  state.next_offer = state.next_offer + 1
  table.insert(state.offers, {
    id = id, by = player.id, to = to.id,
    give = args.give, give_count = args.give_count, want = args.want, want_count = args.want_count,
  })
  world.emit(to, "offered", { offer = id, by = player.id })
  return { offer = id }
end

local function move(state, from, to, good, count)
  state.hands[from][good] = state.hands[from][good] - count
  state.hands[to][good] = state.hands[to][good] + count
end

function game.inputs.accept(world, player, args)
  local state = world.state
  local offer
  for _, open in ipairs(state.offers) do
    if open.id == args.offer and open.to == player.id then
      offer = open
    end
  end
  if not offer then
    return world.reject("no_offer", "No open offer " .. args.offer .. " was made to you.")
  end
  if state.hands[player.id][offer.want] < offer.want_count then
    return world.reject("too_few", "You hold " .. state.hands[player.id][offer.want] .. " " .. offer.want .. ".")
  end
  local by = world.player(offer.by)
  drop_offers(world, function(open)
    return open.id == offer.id
  end)
  if state.hands[by.id][offer.give] < offer.give_count then
    return world.reject("gone", "The other side no longer holds what it offered.")
  end
  move(state, by.id, player.id, offer.give, offer.give_count)
  move(state, player.id, by.id, offer.want, offer.want_count)
  score(world, player)
  score(world, by)
  world.emit(player, "traded", { offer = offer.id, with = by.id })
  world.emit(by, "traded", { offer = offer.id, with = player.id })
end

function game.inputs.pass() end

-- Whoever's turn it was has moved, or was silent.
function game.tick(world)
  if world.state.seat > 0 then
    pass_on(world)
  end
end

function game.observe(world, player)
  local state = world.state
  local goals, players, offers = {}, {}, {}
  for i, goal in ipairs(state.goals[player.id]) do
    goals[i] = { good = goal.good, count = goal.count, met = state.hands[player.id][goal.good] >= goal.count }
  end
  for i, one in ipairs(world.players) do
    players[i] = { id = one.id, name = one.name, seat = one.seat }
  end
  for _, offer in ipairs(state.offers) do
    if offer.by == player.id or offer.to == player.id then
      offers[#offers + 1] = offer
    end
  end
  local turn = player_on(world, state.seat)
  return {
    round = state.round,
    rounds = world.settings.rounds,
    you = player.id,
    turn = turn and turn.id,
    hand = state.hands[player.id],
    goals = goals,
    players = players,
    offers = offers,
  }
end

-- What everybody may know: a seat is a place round a table.
function game.view(world)
  local nodes = {}
  for i, player in ipairs(world.players) do
    nodes[i] = {
      id = player.seat, kind = "player", name = tostring(player.seat), label = player.name,
      x = 10 * ((player.seat - 1) % 3), z = 10 * math.floor((player.seat - 1) / 3),
      colour = player.seat == world.state.seat and "#e5c07b" or "#61afef",
    }
  end
  return { nodes = nodes }
end

return game
