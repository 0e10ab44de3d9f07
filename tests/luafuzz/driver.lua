-- Runs each program of a file in an environment of its own.
local separator = "\n--@@ next program @@\n"
local file = assert(io.open(arg[1], "rb"))
local all = file:read("*a")
file:close()

local function environment()
  local env = {}
  for _, name in ipairs { "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget",
    "rawset", "select", "setmetatable", "tonumber", "tostring", "type", "unpack", "xpcall", "string", "table", "math" } do
    env[name] = _G[name]
  end
  env.print = function(...)
    local parts = {}
    for i = 1, select("#", ...) do parts[i] = tostring((select(i, ...))) end
    io.write(table.concat(parts, "\t"), "\n")
  end
  return setmetatable(env, { __index = function(_, name) error("global '" .. name .. "' is not declared", 2) end })
end

local at = 1
while true do
  local from, to = all:find(separator, at, true)
  local program, problem = loadstring(all:sub(at, from and from - 1), "@p")
  if program then
    if not pcall(setfenv(program, environment())) then io.write("ERROR\n") end
  else
    io.write("SYNTAX ", problem, "\n")
  end
  if not from then break end
  io.write(separator)
  at = to + 1
end
