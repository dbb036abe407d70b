-- Pancake flips over all permutations of n: array reads and writes, short loops, data-dependent branches.
local n = tonumber(arg[1]) or 7

local function fannkuch(size)
  local p, q, s = {}, {}, {}
  local sign, most, checksum = 1, 0, 0
  for i = 1, size do
    p[i], q[i], s[i] = i, i, i
  end
  while true do
    local first = p[1]
    if first ~= 1 then
      for i = 2, size do q[i] = p[i] end
      local flips = 1
      while true do
        local other = q[first]
        if other == 1 then
          checksum = checksum + sign * flips
          if flips > most then most = flips end
          break
        end
        q[first] = first
        if first >= 4 then
          local i, j = 2, first - 1
          repeat
            q[i], q[j] = q[j], q[i]
            i, j = i + 1, j - 1
          until i >= j
        end
        first = other
        flips = flips + 1
      end
    end
    if sign == 1 then
      p[2], p[1] = p[1], p[2]
      sign = -1
    else
      p[2], p[3] = p[3], p[2]
      sign = 1
      for i = 3, size do
        local left = s[i]
        if left ~= 1 then
          s[i] = left - 1
          break
        end
        if i == size then return checksum, most end
        s[i] = i
        local head = p[1]
        for j = 1, i do p[j] = p[j + 1] end
        p[i + 1] = head
      end
    end
  end
end

local checksum, most = fannkuch(n)
print(string.format("%d\nfannkuch(%d) = %d", checksum, n, most))
