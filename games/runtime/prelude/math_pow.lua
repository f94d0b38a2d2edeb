-- Pow: math.pow, the same to the last bit on every CPU. x^y = 2^(y * log2(x)), with the logarithm and the product in
-- twice the precision (Dekker, "A floating-point technique for extending the available precision", Numerische
-- Mathematik 18, 1971). Error: below 0.7 units in the last place. Special values are those of IEEE 754 and of C.

local import = ...
local blame = import("blame")
local exp = import("math_exp")
local log = import("math_log")

local pow = {}

local type, huge = type, math.huge
local in_two, two_to = log.in_two, exp.two_to

local SPLIT = 134217729 -- 2^27 + 1
local LARGE = 0x1p+70 -- a larger y takes every x but 1 beyond the range of numbers

-- x^y for x > 0, neither of them 0, 1, infinite or NaN.
local function positive(x, y)
  if y > LARGE or y < -LARGE then
    return (x > 1) == (y > 0) and huge or 0
  end
  local first, second = in_two(x)
  local c = y * SPLIT
  local y_high = c - (c - y)
  local high = y_high * first
  local low = (y - y_high) * first + y * second
  local sum = high + low
  if sum > 1025 then
    return huge
  elseif sum < -1080 then
    return 0
  end
  return two_to(high, low)
end

-- x^y where x is 0, infinite, or y is.
local function edge(x, y)
  if y == huge or y == -huge then
    local size = x < 0 and -x or x
    if size == 1 then
      return 1
    end
    return (size > 1) == (y > 0) and huge or 0
  end
  local is_odd = y % 2 == 1
  if x == 0 then
    if y > 0 then
      return is_odd and x or 0
    end
    return is_odd and 1 / x or huge
  end
  if x > 0 then
    return y > 0 and huge or 0
  end
  if y > 0 then
    return is_odd and -huge or huge
  end
  return is_odd and -0.0 or 0
end

-- `math.pow`
function pow.pow(x, y)
  if type(x) ~= "number" or type(y) ~= "number" then
    blame.fail_argument("math.pow", type(x) == "number" and y or x)
  end
  if y == 2 then
    return x * x
  elseif x > 0 and x < huge and y ~= 0 and y - y == 0 then
    if x == 1 then
      return 1
    end
    return positive(x, y)
  elseif y == 0 or x == 1 then
    return 1
  elseif x ~= x or y ~= y then
    return x + y
  elseif x == 0 or x - x ~= 0 or y - y ~= 0 then
    return edge(x, y)
  elseif y % 1 ~= 0 then
    return 0 / 0
  elseif y % 2 == 1 then
    return x == -1 and -1 or -positive(-x, y)
  end
  return x == -1 and 1 or positive(-x, y)
end

return pow
