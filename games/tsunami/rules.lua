-- The numbers of the game, in one place. Not here: what happens with them. Nothing in this module ever changes.
-- Units are units of length and seconds; x runs from west (-) to east (+), z from north (-) to south (+).

local rules = {}

rules.TICK_HZ = 60 -- as in game.toml
rules.EAST, rules.WEST = 500, -500
rules.SOUTH, rules.NORTH = 114, -114
rules.SAFE_X = 450 -- from here east no wave counts

-- From the harmless east to the far west. weight: share of new relics; colour: how spectators see it.
rules.ZONES = {
  { name = "common", from = 250, to = 350, weight = 40, value = 10, colour = "#9aa5b1" },
  { name = "uncommon", from = 150, to = 250, weight = 25, value = 30, colour = "#5fb760" },
  { name = "rare", from = 0, to = 150, weight = 15, value = 80, colour = "#4a8fe7" },
  { name = "epic", from = -150, to = 0, weight = 10, value = 200, colour = "#a05be8" },
  { name = "legendary", from = -300, to = -150, weight = 7, value = 500, colour = "#f0a02c" },
  { name = "secret", from = -500, to = -300, weight = 3, value = 1500, colour = "#e8485f" },
}
rules.ZONE_WEIGHT_SUM = 100
rules.ZONE_COLOURS = {}
for _, zone in ipairs(rules.ZONES) do
  rules.ZONE_COLOURS[zone.name] = zone.colour
end

rules.RELICS_AT_START = 10
rules.RELIC_EVERY_TICKS = 90 -- 1.5 s
rules.RELIC_EDGE = 5 -- no relic nearer to the edge of its zone or of the land
rules.REACH = 5 -- how far a player can reach for a relic
rules.INCOME_SHARE = 10 -- a relic pays value / 10 coins per second

rules.BASE_X = 475
rules.BASE_HALF_X, rules.BASE_HALF_Z = 15, 10
rules.SLOTS = 10
rules.SEAT_COLOURS = {
  "#f94144", "#f8961e", "#f9c74f", "#90be6d", "#43aa8b", "#4d908e", "#577590", "#b565d9",
}

-- What each level costs and the walking speed it gives, in units per second.
rules.SPEEDS = {
  { cost = 0, speed = 16 },
  { cost = 100, speed = 22 },
  { cost = 300, speed = 30 },
  { cost = 700, speed = 40 },
  { cost = 1500, speed = 52 },
  { cost = 3500, speed = 66 },
  { cost = 8000, speed = 82 },
  { cost = 18000, speed = 100 },
  { cost = 40000, speed = 120 },
  { cost = 90000, speed = 140 },
  { cost = 200000, speed = 158 },
  { cost = 450000, speed = 175 },
  { cost = 1000000, speed = 188 },
  { cost = 2500000, speed = 196 },
  { cost = 5000000, speed = 200 },
}

rules.WAVE_FROM, rules.WAVE_TO = -500, 350
rules.WAVE_SPEED = 35
rules.WAVE_REACH = 5 -- a player this near to the front is hit
rules.WAVE_LASTS_S = (rules.WAVE_TO - rules.WAVE_FROM) / rules.WAVE_SPEED
rules.WAVE_PASSED_X = rules.WAVE_TO + rules.WAVE_REACH -- east of here no wave hits

-- The land is rebuilt by a front of its own that follows the wave, this long behind it.
rules.REBUILD_AFTER_TICKS = 540

function rules.base_z(seat)
  return -84 + 24 * (seat - 1)
end

return rules
