-- Trig: sin, cos and tan, the same to the last bit on every CPU: + - * / and floor only, in a fixed order. Method: x is
-- taken to -pi/4 … pi/4 by multiples of pi/2 in parts of 33 bits (W. J. Cody and W. Waite, "Software Manual for the
-- Elementary Functions", 1980); there sin and cos are polynomials, with the coefficients of Sun's fdlibm (1993). tan is
-- their quotient, divided in twice the precision (T. J. Dekker, 1971). Errors: below 1 unit in the last place for |x|
-- <= 10^6. Beyond 1.6 * 10^6 the result is a function of x, but no sine: nothing that far has an angle worth its name.

local import = ...
local blame = import("blame")

local trig = {}

local floor, fmod, type = math.floor, math.fmod, type

local TWO_BY_PI = 0x1.45f306dc9c883p-1
-- pi/2 in parts: products of the first three with whole numbers up to 2^20 are exact.
local FIRST, SECOND, THIRD, FOURTH = 0x1.921fb544p+0, 0x1.0b4611a6p-34, 0x1.3198a2ep-69, 0x1.b839a252049c1p-104
local FAR = 1647000 -- 2^20 * pi/2
local ABOUT_TWO_PI = 0x1.921fb54442d18p+2
local NEAR_MULTIPLE = 0x1p-20
local SPLIT = 134217729 -- 2^27 + 1: x * SPLIT - (x * SPLIT - x) is x to 26 bits

-- By quarter of the circle, 0 … 3 at 1 … 4: sin(x) = A sin(r) + B cos(r), cos(x) = B sin(r) … with the next quarter's.
-- A sum with one factor 0 takes no branch, which costs less than going two ways.
local OF_SIN = { 1, 0, -1, 0, 1 }
local OF_COS = { 0, 1, 0, -1, 0 }

-- What is left of x after n * pi/2, as a number and its tail, where so little is left that three parts do not do.
local function tiny_rest(n, rest)
  local part = n * SECOND
  local a = rest - part
  local b = a - rest
  local tail = (rest - (a - b)) + (-part - b)
  part = n * THIRD
  local c = a - part
  b = c - a
  tail = tail + ((a - (c - b)) + (-part - b)) - n * FOURTH
  local r = c + tail
  return r, (c - r) + tail
end

-- Returns n, r, tail: x = n * pi/2 + r + tail, |r| <= pi/4, for |x| <= FAR.
local function reduce(x)
  local n = floor(x * TWO_BY_PI + 0.5)
  local rest = x - n * FIRST
  local part = n * SECOND
  local a = rest - part
  if a < NEAR_MULTIPLE and a > -NEAR_MULTIPLE then
    return n, tiny_rest(n, rest)
  end
  local b = a - rest
  local tail = ((rest - (a - b)) + (-part - b)) - n * THIRD
  local r = a + tail
  return n, r, (a - r) + tail
end

-- sin(r + tail) - r
local function sin_tail(r, tail, z)
  local w = z * z
  local p = -1.66666666666666324348e-01 + z * (8.33333333332248946124e-03 + z * -1.98412698298579493134e-04
    + w * (2.75573137070700676789e-06 + z * -2.50507602534068634195e-08 + w * 1.58969099521155010221e-10))
  return r * z * p + tail * (1 - 0.5 * z)
end

-- cos(r + tail) - (1 - z / 2)
local function cos_tail(r, tail, z)
  local w = z * z
  local p = 4.16666666666666019037e-02 + z * -1.38888888888741095749e-03 + w * (2.48015872894767294178e-05
    + z * -2.75573143513906633035e-07 + w * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11))
  return w * p - r * tail
end

local function far(x)
  if x - x ~= 0 then
    return 0 / 0
  end
  return fmod(x, ABOUT_TWO_PI)
end

-- `math.sin`
function trig.sin(x)
  if type(x) ~= "number" then
    blame.fail_argument("math.sin", x)
  end
  if not (x <= FAR and x >= -FAR) then
    x = far(x)
    if x ~= x then
      return x
    end
  elseif x == 0 then
    return x
  end
  local n, r, tail = reduce(x)
  local z = r * r
  local half = 0.5 * z
  local w = 1 - half
  local cos = w + (((1 - w) - half) + cos_tail(r, tail, z))
  local quarter = n - 4 * floor(n * 0.25) + 1
  return OF_SIN[quarter] * (r + sin_tail(r, tail, z)) + OF_COS[quarter] * cos
end

-- `math.cos`
function trig.cos(x)
  if type(x) ~= "number" then
    blame.fail_argument("math.cos", x)
  end
  if not (x <= FAR and x >= -FAR) then
    x = far(x)
    if x ~= x then
      return x
    end
  end
  local n, r, tail = reduce(x)
  local z = r * r
  local half = 0.5 * z
  local w = 1 - half
  local cos = w + (((1 - w) - half) + cos_tail(r, tail, z))
  local quarter = n - 4 * floor(n * 0.25) + 2
  return OF_SIN[quarter] * (r + sin_tail(r, tail, z)) + OF_COS[quarter] * cos
end

-- `math.tan`
function trig.tan(x)
  if type(x) ~= "number" then
    blame.fail_argument("math.tan", x)
  end
  if not (x <= FAR and x >= -FAR) then
    x = far(x)
    if x ~= x then
      return x
    end
  elseif x == 0 then
    return x
  end
  local n, r, tail = reduce(x)
  local z = r * r
  local correction = sin_tail(r, tail, z)
  local sin = r + correction
  local sin_low = (r - sin) + correction
  local half = 0.5 * z
  local w = 1 - half
  correction = ((1 - w) - half) + cos_tail(r, tail, z)
  local cos = w + correction
  local cos_low = (w - cos) + correction
  -- Even quarters: sin / cos; odd ones: cos / -sin.
  local odd = n - 2 * floor(n * 0.5)
  local even = 1 - odd
  local a, a_low = even * sin + odd * cos, even * sin_low + odd * cos_low
  local b, b_low = even * cos - odd * sin, even * cos_low - odd * sin_low
  local q = a / b
  local c = q * SPLIT
  local q_high = c - (c - q)
  local q_low = q - q_high
  c = b * SPLIT
  local b_high = c - (c - b)
  local b_rest = b - b_high
  local left = (((a - q_high * b_high) - q_high * b_rest) - q_low * b_high) - q_low * b_rest
  return q + (left + (a_low - q * b_low)) / b
end

return trig
