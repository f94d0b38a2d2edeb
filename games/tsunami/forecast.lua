-- What will happen to somebody who walks: when a wave meets them, and how much time they can lose.
-- Pure arithmetic on seconds from now; reads nothing of the world and changes nothing.
--
-- A wave that starts at s stands at f(t) = WAVE_FROM + WAVE_SPEED (t - s) until it reaches WAVE_TO. Walkers and wave
-- both move evenly, so their distance is linear in t on every leg and the moment of a hit has a closed form.
-- Players are always east of a running front (it hits whoever it passes), so to lose time is never an advantage.

local rules = require("rules")

local forecast = {}

local FROM, SPEED, REACH, LASTS = rules.WAVE_FROM, rules.WAVE_SPEED, rules.WAVE_REACH, rules.WAVE_LASTS_S
local PASSED_X = rules.WAVE_PASSED_X

-- A plan is called safe only if this many seconds may be lost on the way: two ticks go by between
-- arriving and walking back even for a program, and an agent needs a moment to think.
forecast.MARGIN_S = 1

-- When does a wave hit somebody who is at x at `starts_s` and moves along x with `speed_x` until `ends_s`? Nil: never.
-- `wave_s`: when the running wave started (negative) or the next one starts; more follow every `interval_s`.
function forecast.hit_s(x, speed_x, starts_s, ends_s, wave_s, interval_s)
  local wave = wave_s
  while wave <= ends_s do
    local from_s = math.max(starts_s, wave)
    local to_s = math.min(ends_s, wave + LASTS)
    if from_s <= to_s then
      local gap = x + speed_x * (from_s - starts_s) - (FROM + SPEED * (from_s - wave))
      local closing = SPEED - speed_x
      if math.abs(gap) <= REACH then
        return from_s
      elseif gap > REACH and closing > 0 then
        local at_s = from_s + (gap - REACH) / closing
        if at_s <= to_s then
          return at_s
        end
      elseif gap < -REACH and closing < 0 then
        local at_s = from_s + (gap + REACH) / closing
        if at_s <= to_s then
          return at_s
        end
      end
    end
    wave = wave + interval_s
  end
  return nil
end

-- When does a wave hit somebody who stays at x? Nil: never, it does not come so far.
function forecast.stands_until_s(x, wave_s, interval_s)
  return forecast.hit_s(x, 0, 0, interval_s + LASTS, wave_s, interval_s)
end

-- The last moment to leave x at `speed_x` > 0 and escape the wave that comes after `after_s`. Nil: no need to.
local function leave_by_s(x, speed_x, after_s, wave_s, interval_s)
  if x > PASSED_X then
    return nil
  end
  local wave = wave_s
  while wave + LASTS <= after_s do
    wave = wave + interval_s
  end
  return wave + LASTS - (PASSED_X - x) / math.min(speed_x, SPEED)
end

-- Walk from (x, z) to (to_x, to_z), turn round at once and walk to (home_x, home_z). Returns
-- walk_s: when you are there; home_s: when you are home; spare_s: how long you may tarry there and still escape
-- (nil: no wave comes there); hit_s: when the wave has you if you do not tarry (nil: it has not).
function forecast.trip(x, z, to_x, to_z, home_x, home_z, speed, wave_s, interval_s)
  local out_x, out_z = to_x - x, to_z - z
  local walk_s = math.sqrt(out_x * out_x + out_z * out_z) / speed
  local back_x, back_z = home_x - to_x, home_z - to_z
  local back_s = math.sqrt(back_x * back_x + back_z * back_z) / speed
  local home_s = walk_s + back_s
  local hit_s = walk_s > 0 and forecast.hit_s(x, out_x / walk_s, 0, walk_s, wave_s, interval_s)
  if hit_s then
    return walk_s, home_s, -1, hit_s
  end
  if back_s == 0 then
    return walk_s, home_s, nil, nil
  end
  local speed_x = back_x / back_s
  local leave_s = leave_by_s(to_x, speed_x, walk_s, wave_s, interval_s)
  hit_s = forecast.hit_s(to_x, speed_x, walk_s, home_s, wave_s, interval_s)
  return walk_s, home_s, leave_s and leave_s - walk_s, hit_s
end

-- The verdict on a trip.
function forecast.is_safe(spare_s, hit_s)
  return not hit_s and (spare_s == nil or spare_s >= forecast.MARGIN_S)
end

return forecast
