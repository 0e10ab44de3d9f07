--- Everything a runbook may say, and nothing wrong with it.
local hetzner, http = require "hetzner", require "http"
local health = require "std.health"
local wanted = { "hobby-1", "hobby-2" }

local function url(name) return "http://" .. name .. ".example.org/health" end

local function healthy(name)
  local answer = http.check { url = url(name), json = { status = "ok" } }
  return answer.ok, answer.reason
end

return runbook {
  title = "Everything", severity = "high", impact = "None", description = "A test", tags = { "test" },
  objective = { rto = "4h", rpo = "1h30m" }, comms = "std.comms.outage",
  input = {
    server = { doc = "Name of the server", example = "hobby-1" },
    mode = { doc = "How", default = "soft", choices = { "soft", "hard" } },
    note = { doc = "A remark", optional = true, type = "string" },
  },
  run = function(input)
    local state = step("Assess", { timeout = "1m", attempts = 2, owner = "on call" }, function()
      local server = hetzner.server { name = input.server }
      if server.locked then
        return { healthy = false }
      end
      return { server = server, healthy = healthy(input.server), disk = server.volumes[1].size }
    end)
    if state.healthy then
      return finish(input.server .. " is well, " .. tostring(state.disk))
    end
    local address
    if input.mode == "hard" then
      address = state.server.ipv4
    else
      address = hetzner.server({ name = "hobby-2" }).ipv4
    end
    note("address " .. address .. " of " .. state.server.disk.size, { at = state.server.created, cores = state.server.cores })
    for i, volume in ipairs(state.server.volumes) do
      print(i, volume.size, volume.image)
    end
    for key, text in pairs(state.server.labels) do
      print(key, text:upper(), state.server.labels.tier, state.server.labels[key])
    end
    local found, failures = parallel("Look around", {
      server = function() return hetzner.servers { label = "tier=hobby" } end,
      site = function() return step("Ask the site", function() return health.ok(url("hobby-1")) end) end,
    }, { keep_going = true })
    if failures.server then print(failures.server.kind, failures.server.message) end
    print(found.site, found.server[1].name, #found.server)
    local each_result = each("Reboot them", wanted, { at_once = 1 }, function(name)
      step("Reboot it", { optional = true, undo = function() print("nothing") end }, function()
        hetzner.reboot { server = name, mode = input.mode, within = "90s" }
      end)
      return eventually("5m", { every = "10s" }, function()
        local tries = 0
        tries = tries + 1
        return healthy(name) and tries > 0
      end)
    end)
    print(each_result["hobby-1"])
    local again = retry({ attempts = 5, backoff = "1s" }, function() return hetzner.server { name = "hobby-1" } end)
    approve("Go on with " .. again.name, { needs = 2, within = "10m" })
    local where = ask("Where?", { choices = { "fsn1", "nbg1" } })
    local args = { name = "hobby-3", locations = { where, "hel1" } }
    args.labels = { tier = "hobby" }
    hetzner.create_server(args)
    hetzner.create_server { name = "hobby-4", volumes = { { size = 10 }, { size = 2 } }, start = false, weight = 1.5,
      since = "2026-02-28T03:00:00Z", password = secret("env:PASSWORD"), extra = { 1, "x" }, locations = "fsn1" }
    local ok, err = pcall(hetzner.delete_server, { name = "hobby-1" })
    if not ok then print(err.kind, run.id, run.mode, run.drill, run:elapsed() > 3, run:remaining()) end
    expect("the state is known", run:result("Assess").server ~= nil)
    expect("it is there", run:result("Watch the health"))
    local sum, t = 0, {}
    for i = 1, 10 do
      t[i] = math.floor(i / 2)
      sum = sum + t[i]
    end
    table.sort(t)
    local text = string.format("%d %s", sum, ("x"):rep(3)) .. table.concat(t, ",")
    while sum > 0 do sum = sum - 1 end
    repeat local done = true until done
    expect("all is well", eventually("2m", function() return http.check({ url = text }).ok end))
    return finish("done")
  end,
}
