-- Log: log (also with a base) and log10, the same to the last bit on every CPU: + - * / on numbers, and the bits of a
-- number's exponent, in a fixed order.
-- Method: x = 2^k * m with m near 1, s = (m - 1) / (m + 1), log(m) = 2 s + 2/3 s^3 + 2/5 s^5 + …, as in W. J. Cody and
-- W. Waite, "Software Manual for the Elementary Functions" (1980); the coefficients of `log` are those of Sun's fdlibm
-- (1993), those of `in_two` Taylor's. Errors: log below 1 unit in the last place, the others below 0.7.

local import = ...
local blame = import("blame")
local exp = import("math_exp")

local log = {}

local type, huge = type, math.huge
local arshift = bit.arshift
local POWERS = exp.POWERS

local LN2_HIGH = 0x1.62e42fefap-1 -- 36 bits
local LN2_LOW = 0x1.cf79abc9e3b3ap-40
local LOG10_2_HIGH = 0x1.344135p-2 -- 26 bits
local LOG10_2_LOW = 0x1.3ef3fde623e25p-31
local LOG10_2 = 0x1.34413509f79ffp-2
local TO_LOG2_HIGH = 0x1.ec709d8p-1 -- 2 / (3 log(2)), 26 bits
local TO_LOG2_LOW = 0x1.0e80ff5d27f05p-27
local TO_LOG2 = 0x1.ec709dc3a03fdp-1
local SPLIT = 134217729 -- 2^27 + 1: x * SPLIT - (x * SPLIT - x) is x to 26 bits (Veltkamp, Dekker 1971)
local SMALLEST_NORMAL = 0x1p-1022
local TWO_54 = 0x1p+54
-- The upper half of a number's bits, taken to the nearest power of two times 0.7071 … 1.4142.
local HALF_ROOT = 0x3ff00000 - 0x3fe6a09e

local double = require("ffi").new("union { double number; int32_t halves[2]; }")

-- k with x / 2^k in 0.7071 … 1.4142, for a positive normal x.
local function exponent(x)
  double.number = x
  return arshift(double.halves[1] + HALF_ROOT, 20) - 1023
end

local function log_of(x)
  local less = 0
  if x < SMALLEST_NORMAL then
    x, less = x * TWO_54, 54
  end
  local k = exponent(x)
  local f = x * POWERS[1025 - k] - 1
  k = k - less
  local s = f / (2 + f)
  local z = s * s
  local w = z * z
  local even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
  local odd = z * (6.666666666666735130e-01 + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01
    + w * 1.479819860511658591e-01)))
  local half = 0.5 * f * f
  return k * LN2_HIGH + (f - (half - (s * (half + (even + odd)) + k * LN2_LOW)))
end

-- log2(x) as a number of 26 bits and the rest, good to about 65 bits together, for a positive finite x.
function log.in_two(x)
  local less = 0
  if x < SMALLEST_NORMAL then
    x, less = x * TWO_54, 54
  end
  local k = exponent(x)
  local m = x * POWERS[1025 - k]
  k = k - less
  local u, t = m - 1, m + 1
  local inverse = 1 / t
  local s = u * inverse
  local c = s * SPLIT
  local s_high = c - (c - s)
  c = t * SPLIT
  local t_high = c - (c - t)
  local t_low = m - (t_high - 1)
  local s_low = inverse * ((u - s_high * t_high) - s_high * t_low)
  local z = s * s
  local w = z * z
  -- 3/2 log(m) = s * (3 + s^2 + r)
  local r = w * ((0.6 + w * (1 / 3 + w * (3 / 13 + w * (3 / 17 + w * (3 / 21 + w * (3 / 25))))))
    + z * (3 / 7 + w * (3 / 11 + w * (3 / 15 + w * (3 / 19 + w * (3 / 23)))))) + s_low * (s_high + s)
  local square = s_high * s_high
  local sum = 3 + square + r
  c = sum * SPLIT
  local sum_high = c - (c - sum)
  local sum_low = r - ((sum_high - 3) - square)
  local a = s_high * sum_high
  local b = s_low * sum_high + sum_low * s
  local p = a + b
  c = p * SPLIT
  local p_high = c - (c - p)
  local p_low = b - (p_high - a)
  local high, low = TO_LOG2_HIGH * p_high, TO_LOG2_LOW * p_high + p_low * TO_LOG2
  local result = (high + low) + k
  c = result * SPLIT
  local first = c - (c - result)
  return first, low - ((first - k) - high)
end

local in_two = log.in_two

-- What log gives for what is no positive finite number.
local function edge(x)
  if x == 0 then
    return -huge
  elseif x == huge then
    return huge
  end
  return 0 / 0
end

local function log10(x)
  if not (x > 0 and x < huge) then
    return edge(x)
  end
  local first, second = in_two(x)
  return first * LOG10_2_HIGH + (first * LOG10_2_LOW + second * LOG10_2)
end

-- The last base and its log2: games use one.
local last_base, base_high, base_low, base_inverse = 2, 1, 0, 1

-- log(x) / log(base) as log2(x) / log2(base), with one step of a division in twice the precision.
local function log_to(x, base)
  if not (x > 0 and x < huge and base > 0 and base < huge) or base == 1 then
    return (x > 0 and x < huge and log_of(x) or edge(x)) / (base > 0 and base < huge and log_of(base) or edge(base))
  end
  if base ~= last_base then
    base_high, base_low = in_two(base)
    last_base, base_inverse = base, 1 / (base_high + base_low)
  end
  local high, low = in_two(x)
  local quotient = (high + low) * base_inverse
  local c = quotient * SPLIT
  local q_high = c - (c - quotient)
  local rest = ((high - q_high * base_high) - (quotient - q_high) * base_high) + (low - quotient * base_low)
  return quotient + rest * base_inverse
end

-- `math.log`: natural, or to the base that is given.
function log.log(x, base)
  if type(x) ~= "number" then
    blame.fail_argument("math.log", x)
  end
  if base ~= nil then
    if type(base) ~= "number" then
      blame.fail_argument("math.log", base)
    end
    if base == 10 then
      return log10(x)
    end
    return log_to(x, base)
  end
  if x > 0 and x < huge then
    return log_of(x)
  end
  return edge(x)
end

-- `math.log10`
function log.log10(x)
  if type(x) ~= "number" then
    blame.fail_argument("math.log10", x)
  end
  return log10(x)
end

return log
