-- What scripts do all day: closures, tables, string building and matching, sorting with a comparator, coroutines,
-- metatables, floating point, integer arithmetic.
local rounds = tonumber(arg[1]) or 10

local state = 42
local function random(limit)
  state = (state * 1103515245 + 12345) & 0x7fffffff
  return (state >> 8) % limit
end

local Vector = {}
Vector.__index = Vector
Vector.__add = function(a, b) return setmetatable({ x = a.x + b.x, y = a.y + b.y }, Vector) end
Vector.__eq = function(a, b) return a.x == b.x and a.y == b.y end
function Vector:length() return math.sqrt(self.x * self.x + self.y * self.y) end

local function queens(n)
  local columns, up, down, solutions = {}, {}, {}, 0
  local function place(row)
    if row > n then
      solutions = solutions + 1
      return
    end
    for c = 1, n do
      if not (columns[c] or up[row + c] or down[row - c + n]) then
        columns[c], up[row + c], down[row - c + n] = true, true, true
        place(row + 1)
        columns[c], up[row + c], down[row - c + n] = false, false, false
      end
    end
  end
  place(1)
  return solutions
end

local syllables = { "ka", "lo", "mi", "ne", "ru", "sta", "te", "vor" }
local function word()
  local parts = {}
  for i = 1, 1 + random(3) do parts[i] = syllables[1 + random(#syllables)] end
  return table.concat(parts)
end

local function generate(n)
  return coroutine.wrap(function()
    for _ = 1, n do coroutine.yield(word()) end
  end)
end

local total = Vector
total = setmetatable({ x = 0, y = 0 }, Vector)
local lines = {}
for round = 1, rounds do
  local counts, order = {}, {}
  for w in generate(60) do
    if not counts[w] then
      counts[w] = 0
      order[#order + 1] = w
    end
    counts[w] = counts[w] + 1
  end
  table.sort(order, function(a, b)
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return a < b
  end)
  local text = table.concat(order, " ")
  local vowels = select(2, text:gsub("[aeiou]", "%0"))
  local found = 0
  for w in text:gmatch("%a+") do
    if w:find("ka", 1, true) then found = found + 1 end
  end
  total = total + setmetatable({ x = vowels / 7, y = found * 1.5 }, Vector)
  local ok, problem = pcall(function()
    if round % 5 == 0 then error({ code = round }) end
    return #text
  end)
  lines[#lines + 1] = string.format("%3d %-12s %4d %3d %8.3f %s", round, order[1], vowels, found, total:length(),
    ok and "ok" or "error " .. problem.code)
end
for i = math.max(1, #lines - 9), #lines do print(lines[i]) end
print("queens", queens(rounds < 20 and 5 or 6))
