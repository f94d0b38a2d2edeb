-- Arc: asin, acos, atan and atan2, the same to the last bit on every CPU: + - * / sqrt min max floor and ceil only, in
-- a fixed order. Method: atan(q) = atan(c) + atan((q - c) / (1 + c q)) with c the next lower multiple of 1/8, from a
-- table that was computed to 400 bits, and Taylor's polynomial for what is left (0 <= t <= 1/8). asin and acos use a
-- quotient of polynomials with the coefficients of Sun's fdlibm (1993), and beyond 1/2 asin(x) = pi/2 - 2 asin(sqrt((1
-- - x) / 2)). Errors: below 0.9 units in the last place; atan2 below 1.5.

local import = ...
local blame = import("blame")

local arc = {}

local floor, ceil, sqrt, min, max, type = math.floor, math.ceil, math.sqrt, math.min, math.max, type

local SPLIT = 134217729 -- 2^27 + 1: x * SPLIT - (x * SPLIT - x) is x to 26 bits
local PI, PI_LOW = 0x1.921fb54442d18p+1, 0x1.1a62633145c07p-53
local HALF_PI, HALF_PI_LOW = 0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54
local QUARTER_PI = 0x1.921fb54442d18p-1

-- atan(i/8), i = 0 … 8, then pi/2 - atan(i/8): the nearest number, and what is missing to the true value.
local ANGLE = {
  0, 0x1.fd5ba9aac2f6ep-4, 0x1.f5b75f92c80ddp-3, 0x1.6f61941e4def1p-2, 0x1.dac670561bb4fp-2,
  0x1.1e00babdefeb4p-1, 0x1.4978fa3269ee1p-1, 0x1.700a7c5784634p-1, 0x1.921fb54442d18p-1,
  0x1.921fb54442d18p+0, 0x1.7249faa996a21p+0, 0x1.5368c951e9cfdp+0, 0x1.3647503caf55cp+0, 0x1.1b6e192ebbe44p+0,
  0x1.031f57e54adbep+0, 0x1.dac670561bb4fp-1, 0x1.b434ee31013fdp-1, 0x1.921fb54442d18p-1,
}
local ANGLE_LOW = {
  0, -3.12532e-18, 1.06988e-17, -2.46238e-17, 2.26988e-17, -5.45563e-18, 1.58348e-17, -2.14784e-17, 3.06162e-17,
  6.12323e-17, 9.21132e-17, -8.82443e-17, 3.0345e-17, 9.40447e-17, 6.6688e-17, 4.53976e-17, -2.83116e-17,
  3.06162e-17,
}

-- The angle whose tangent is small / large, or (is_steep = 1, not 0) large / small; 0 <= small <= large, both in a
-- range where products neither overflow nor vanish.
local function angle(small, large, is_steep)
  local i = floor(small / large * 8)
  local c = i * 0.125
  local split = large * SPLIT
  local high = split - (split - large)
  local below = large + c * small
  local missing = (large - below) + c * small
  local t = ((small - c * high) - c * (large - high)) / below
  local z = t * t
  local w = z * z
  local p = (1 / 3 + w * (1 / 7 + w * (1 / 11 + w * (1 / 15))))
    - z * (1 / 5 + w * (1 / 9 + w * (1 / 13 + w * (1 / 17))))
  local correction = t * (z * p + missing / below)
  local at = i + is_steep * 9 + 1
  local sign = 1 - 2 * is_steep
  local start = ANGLE[at]
  local sum = start + sign * t
  return sum + (((start - sum) + sign * t) + (ANGLE_LOW[at] - sign * correction))
end

-- `math.atan`
function arc.atan(x)
  if type(x) ~= "number" then
    blame.fail_argument("math.atan", x)
  end
  if x > 0 then
    if x > 0x1p+60 then
      return HALF_PI
    elseif x < 0x1p-30 then
      return x
    end
    return angle(min(x, 1), max(x, 1), ceil(min(max(x, 1) - 1, 1)))
  elseif x < 0 then
    if x < -0x1p+60 then
      return -HALF_PI
    elseif x > -0x1p-30 then
      return x
    end
    return -angle(min(-x, 1), max(-x, 1), ceil(min(max(-x, 1) - 1, 1)))
  end
  return x -- 0, -0, NaN
end

-- atan2 of what is infinite, zero or NaN.
local function edge(y, x)
  if x ~= x or y ~= y then
    return x + y
  end
  local is_left = x < 0 or x == 0 and 1 / x < 0
  local is_below = y < 0 or y == 0 and 1 / y < 0
  local result
  if y == 0 then
    result = is_left and PI or 0
  elseif x == 0 or x - x == 0 then
    result = HALF_PI
  elseif y - y == 0 then
    result = is_left and PI or 0
  else
    result = is_left and 3 * QUARTER_PI or QUARTER_PI
  end
  return is_below and -result or result
end

-- `math.atan2`: the angle of the point (x, y), -pi … pi.
function arc.atan2(y, x)
  if type(y) ~= "number" or type(x) ~= "number" then
    blame.fail_argument("math.atan2", type(y) == "number" and x or y)
  end
  if y == 0 or x == 0 or x - x ~= 0 or y - y ~= 0 then
    return edge(y, x)
  end
  local up, right = max(y, -y), max(x, -x)
  local small, large = min(up, right), max(up, right)
  if large > 0x1p+900 then
    small, large = small * 0x1p-200, large * 0x1p-200
  elseif large < 0x1p-900 then
    small, large = small * 0x1p+200, large * 0x1p+200
  end
  local is_steep = up > right and 1 or 0
  local result
  if large > small * 0x1p+60 then
    -- So flat that the polynomial adds nothing, and its products would vanish.
    result = is_steep == 1 and HALF_PI or x < 0 and 0 or small / large
  else
    result = angle(small, large, is_steep)
  end
  if x < 0 then
    result = PI - (result - PI_LOW)
  end
  return y < 0 and -result or result
end

-- (asin(x) - x) / x for z = x^2 <= 1/4.
local function tail(z)
  local p = z * (1.66666666666666657415e-01 + z * (-3.25565818622400915405e-01 + z * (2.01212532134862925881e-01
    + z * (-4.00555345006794114027e-02 + z * (7.91534994289814532176e-04 + z * 3.47933107596021167570e-05)))))
  local q = 1 + z * (-2.40339491173441421878 + z * (2.02094576023350569471 + z * (-6.88283971605453293030e-01
    + z * 7.70381505559019352791e-02)))
  return p / q
end

-- asin(sqrt(z)) as a number and what is missing, for 0 <= z <= 1/4.
local function of_root(z)
  local root = sqrt(z)
  local split = root * SPLIT
  local high = split - (split - root)
  local low = root > 0 and (z - high * high) / (root + high) or 0
  return high, low + root * tail(z)
end

-- `math.asin`
function arc.asin(x)
  if type(x) ~= "number" then
    blame.fail_argument("math.asin", x)
  end
  if x <= 0.5 and x >= -0.5 then
    return x + x * tail(x * x)
  elseif x > 1 or x < -1 or x ~= x then
    return 0 / 0
  elseif x > 0 then
    local high, low = of_root((1 - x) * 0.5)
    return (HALF_PI - 2 * high) - (2 * low - HALF_PI_LOW)
  end
  local high, low = of_root((1 + x) * 0.5)
  return (2 * high - HALF_PI) + (2 * low - HALF_PI_LOW)
end

-- `math.acos`
function arc.acos(x)
  if type(x) ~= "number" then
    blame.fail_argument("math.acos", x)
  end
  if x <= 0.5 and x >= -0.5 then
    return HALF_PI - (x - (HALF_PI_LOW - x * tail(x * x)))
  elseif x > 1 or x < -1 or x ~= x then
    return 0 / 0
  elseif x > 0 then
    local high, low = of_root((1 - x) * 0.5)
    return 2 * (high + low)
  end
  local high, low = of_root((1 + x) * 0.5)
  return (PI - 2 * high) - (2 * low - PI_LOW)
end

return arc
