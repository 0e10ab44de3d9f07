--- Ordinary Lua that must not be complained about.
local hetzner, http = require "hetzner", require "http"

local helpers = {}
function helpers.first(list) return list[1] end
helpers.second = function(list) return list[2] end

local Counter = {}
Counter.__index = Counter
function Counter.new() return setmetatable({ n = 0 }, Counter) end
function Counter:add(k) self.n = self.n + (k or 1) return self.n end

local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
local even, odd
even = function(n) return n == 0 or odd(n - 1) end
odd = function(n) return n ~= 0 and even(n - 1) end

local function fill(t) t.filled = true end
local function many(...) return select("#", ...), ... end

return runbook {
  title = "Idioms",
  input = { server = { doc = "A server", example = "x" }, deep = { doc = "Deep", default = "no" } },
  run = function(input)
    local counter = Counter.new()
    counter:add(2)
    local t = { a = 1 }
    fill(t)
    print(t.filled, counter.n, helpers.first({ 1 }), helpers.second { 1, 2 }, fib(3), even(2), many(1, 2))
    local config = input.server and { name = input.server } or { label = "x" }
    print(config.name, config.label)
    local names = {}
    for i, server in ipairs(hetzner.servers {}) do
      names[#names + 1] = server.name
      names[server.name] = i
    end
    print(names.anything, names[1])
    local byname = {}
    for _, server in ipairs(hetzner.servers {}) do byname[server.name] = server end
    print(byname["hobby-1"].ipv4, byname.hobby)
    local server
    if input.deep == "yes" then
      server = hetzner.server { name = "x" }
    end
    if server then print(server.name) end
    local answer = http.check { url = "x" }
    print(answer.body.anything.at.all, answer.body[1])
    local result = step("Maybe", { optional = true }, function()
      if not answer.ok then return nil end
      return { server = hetzner.server { name = "x" }, why = answer.reason }
    end)
    if result and result.server then print(result.server.name .. (result.why or "")) end
    local words = {}
    for word in ("a b c"):gmatch("%a") do words[#words + 1] = word end
    local copy = { unpack(words) }
    print(copy[1], #copy, copy.x)
    local size = #server.volumes > 0 and server.volumes[1].size or 0
    local message = "size " .. size .. ", " .. server.cores * 2 .. " and " .. (answer.ok and "well" or "not")
    note(message, { size = size })
    local ok, err = pcall(function() error({ kind = "mine" }) end)
    if not ok and err.kind == "mine" then print("caught") end
    local list = { hetzner.server { name = "a" }, hetzner.server { name = "b" } }
    table.insert(list, hetzner.server { name = "c" })
    for i = #list, 1, -1 do print(list[i].name) end
    local args = { name = "x" }
    if input.deep == "yes" then args.locations = { "fsn1" } end
    hetzner.create_server(args)
    local wait = { server = "x" }
    wait.within = "3m"
    hetzner.reboot(wait)
    local _, failed = each("Servers", { { name = "a" }, { name = "b" } }, { keep_going = true }, function(one)
      local here = one.name
      return here
    end)
    for name, why in pairs(failed) do print(name, why.message) end
    local found = parallel("Branches", { a = function() return many(1) end })
    print(found.a, found["a"])
    local shadow = step
    shadow("Through another name", function() return 1 end)
    local total = 0
    for _, n in ipairs { 1, 2, 3 } do total = total + n end
    local function local_step(x) return step("In a helper", function() return x end) end
    print(local_step(3), total, string.format("%5.1f", 3), tostring(nil), type(print))
    local nested = { deep = { deeper = { 1, 2 } } }
    print(nested.deep.deeper[1], nested["deep"]["deeper"][2])
    local one, two = {}, {}
    one.self, two.self = one, two
    local both = one
    if input.deep == "yes" then both = two end
    one.late = 1
    print(both.self.self.self.anything, both.late)
    nested.deep.more = 3
    print(nested.deep.more)
    local s = "text"
    print(s:len(), s.len, ("%d"):format(3), s:sub(1, 2):upper())
    while true do
      if total > 3 then break end
      total = total + 1
    end
    do local scoped = total print(scoped) end
    return finish("done")
  end,
}
