-- Nearest: "did you mean …" for names that are not known.

local nearest = {}

local min, abs, type, byte = math.min, math.abs, type, string.byte

local LONGEST = 40

-- How many letters to change, add or drop to make one name of the other (Levenshtein).
local function distance(a, b)
  local previous = {}
  for j = 0, #b do
    previous[j] = j
  end
  for i = 1, #a do
    local current = { [0] = i }
    for j = 1, #b do
      local cost = byte(a, i) == byte(b, j) and 0 or 1
      current[j] = min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + cost)
    end
    previous = current
  end
  return previous[#b]
end

-- ", did you mean NAME?" or "". `names` is a list; of equally near ones the first is named.
function nearest.hint(name, names)
  if type(name) ~= "string" or #name > LONGEST then
    return ""
  end
  local best, best_distance
  for i = 1, #names do
    local other = names[i]
    if abs(#other - #name) <= 3 then
      local d = distance(name, other)
      if d <= 1 + #name / 4 and (best_distance == nil or d < best_distance) then
        best, best_distance = other, d
      end
    end
  end
  return best and (", did you mean " .. best .. "?") or ""
end

return nearest
