-- Exp: exp, sinh, cosh and tanh, the same to the last bit on every CPU: + - * / and floor only, in a fixed order.
-- Method: P. T. P. Tang, "Table-driven implementation of the exponential function in IEEE floating-point arithmetic",
-- ACM Transactions on Mathematical Software 15 (1989): exp(x) = 2^k * 2^(j/32) * exp(r) with |r| <= log(2)/64.
-- The table and log(2) were computed to 400 bits; the polynomials are Taylor's. Errors: exp below 0.6 units in the last
-- place, the others below 1.5.

local import = ...
local blame = import("blame")

local exp = {}

local floor, type, huge = math.floor, type, math.huge

local THIRTY_TWO_BY_LN2 = 0x1.71547652b82fep+5
local LN2_BY_32_HIGH = 0x1.62e42fefap-6 -- 36 bits: products with whole numbers below 2^17 are exact
local LN2_BY_32_LOW = 0x1.cf79abc9e3b3ap-45
local LN2 = 0x1.62e42fefa39efp-1

-- 2^(j/32), j = 0..31: the nearest number, and what is missing to the true value.
local HIGH = {
  0x1p+0, 0x1.059b0d3158574p+0, 0x1.0b5586cf9890fp+0, 0x1.11301d0125b51p+0,
  0x1.172b83c7d517bp+0, 0x1.1d4873168b9aap+0, 0x1.2387a6e756238p+0, 0x1.29e9df51fdee1p+0,
  0x1.306fe0a31b715p+0, 0x1.371a7373aa9cbp+0, 0x1.3dea64c123422p+0, 0x1.44e086061892dp+0,
  0x1.4bfdad5362a27p+0, 0x1.5342b569d4f82p+0, 0x1.5ab07dd485429p+0, 0x1.6247eb03a5585p+0,
  0x1.6a09e667f3bcdp+0, 0x1.71f75e8ec5f74p+0, 0x1.7a11473eb0187p+0, 0x1.82589994cce13p+0,
  0x1.8ace5422aa0dbp+0, 0x1.93737b0cdc5e5p+0, 0x1.9c49182a3f09p+0, 0x1.a5503b23e255dp+0,
  0x1.ae89f995ad3adp+0, 0x1.b7f76f2fb5e47p+0, 0x1.c199bdd85529cp+0, 0x1.cb720dcef9069p+0,
  0x1.d5818dcfba487p+0, 0x1.dfc97337b9b5fp+0, 0x1.ea4afa2a490dap+0, 0x1.f50765b6e454p+0,
}
local LOW = {
  0, 5.10923e-17, 8.55189e-17, -7.89985e-17, -3.04678e-17, 1.04103e-16, 8.91281e-17, 3.8292e-17,
  3.98202e-17, -7.71263e-17, 4.65803e-17, 2.66793e-18, 2.53825e-17, -2.85873e-17, 7.70095e-17, -6.77051e-17,
  -9.66729e-17, -3.02376e-17, -3.48399e-17, -1.01646e-16, 7.94983e-17, -1.01369e-17, 2.47072e-17, -1.01257e-16,
  8.19901e-17, -1.85138e-17, 2.96014e-17, 1.82275e-17, 3.28311e-17, -6.12276e-17, -1.06199e-16, 8.96077e-17,
}

-- Powers of two: POWERS[k + 1025] = 2^k for k = -1024 … 1023.
local POWERS = {}
local power = 0x1p-1024
for i = 1, 2048 do
  POWERS[i] = power
  power = power * 2
end
exp.POWERS = POWERS

-- y * 2^k where the result may be too large or too small for a normal number.
local function scale_far(y, k)
  if k > 0 then
    return y * 4 * POWERS[k + 1023]
  end
  return y * POWERS[k + 1225] * POWERS[825]
end

-- 2^(n/32) * exp(r) for |r| <= 0.011.
local function assemble(n, r)
  local k = floor(n / 32)
  local j = n - k * 32 + 1
  local p = r + r * r * (0.5 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720)))))
  local high = HIGH[j]
  local y = high + (LOW[j] + high * p)
  if k > 1023 or k < -1020 then
    return scale_far(y, k)
  end
  return y * POWERS[k + 1025]
end

-- exp(x) * 2^shift for finite x; |shift| <= 1.
local function scaled(x, shift)
  if x > 711 then
    return huge
  elseif x < -747 then
    return 0
  end
  local n = floor(x * THIRTY_TWO_BY_LN2 + 0.5)
  return assemble(n + 32 * shift, (x - n * LN2_BY_32_HIGH) - n * LN2_BY_32_LOW)
end

-- 2^(high + low), |low| far below |high| < 1100, high of at most 52 bits.
function exp.two_to(high, low)
  local n = floor((high + low) * 32 + 0.5)
  return assemble(n, ((high - n * 0.03125) + low) * LN2)
end

-- `math.exp`
function exp.exp(x)
  if type(x) ~= "number" then
    blame.fail_argument("math.exp", x)
  end
  if x ~= x then
    return x
  end
  return scaled(x, 0)
end

-- sinh(x) = x + x * z * even(z) with z = x^2, and cosh(x) = 1 + z * odd(z), for |x| <= 1 and |x| <= 0.6.
local function sinh_tail(z)
  return 1 / 6 + z * (1 / 120 + z * (1 / 5040 + z * (1 / 362880 + z * (1 / 39916800 + z * (1 / 6227020800
    + z * (1 / 1307674368000 + z * (1 / 355687428096000)))))))
end

local function cosh_tail(z)
  return 0.5 + z * (1 / 24 + z * (1 / 720 + z * (1 / 40320 + z * (1 / 3628800 + z * (1 / 479001600
    + z * (1 / 87178291200 + z * (1 / 20922789888000)))))))
end

-- `math.sinh`
function exp.sinh(x)
  if type(x) ~= "number" then
    blame.fail_argument("math.sinh", x)
  end
  if x <= 1 and x >= -1 then
    local z = x * x
    return x + x * (z * sinh_tail(z))
  elseif x ~= x then
    return x
  end
  if x < 0 then
    local half = scaled(-x, -1)
    return 0.25 / half - half
  end
  local half = scaled(x, -1)
  return half - 0.25 / half
end

-- `math.cosh`
function exp.cosh(x)
  if type(x) ~= "number" then
    blame.fail_argument("math.cosh", x)
  end
  if x ~= x then
    return x
  end
  local half = scaled(x < 0 and -x or x, -1)
  return half + 0.25 / half
end

-- `math.tanh`
function exp.tanh(x)
  if type(x) ~= "number" then
    blame.fail_argument("math.tanh", x)
  end
  if x < 0.6 and x > -0.6 then
    local z = x * x
    local c = z * cosh_tail(z)
    return x + x * (z * sinh_tail(z) - c) / (1 + c)
  elseif x ~= x then
    return x
  elseif x > 20 then
    return 1
  elseif x < -20 then
    return -1
  elseif x > 0 then
    return 1 - 2 / (scaled(2 * x, 0) + 1)
  end
  return 2 / (scaled(-2 * x, 0) + 1) - 1
end

return exp
