--- Scenario 3, the mild remedy suffices: the server has lost its power, and switching it on heals it.
local http, pg = require "http", require "pg"

return drill {
  title = "Hetzner: the power is gone",
  runbook = "../hetzner_failure.lua",
  world = "../worlds/webhost.toml",
  speed = 60,
  every = "monthly",
  input = { server = "hobby-1" },
  objective = { rto = "4h" },

  fault = function(world)
    world:kill_server { server = "hobby-1" }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")
    local answer = http.check { url = "http://hobby.webhost.systems/health", json = { status = "ok", server = "hobby-1" } }
    expect("a customer gets a healthy answer from hobby-1 itself", answer.ok)

    local on, reboots, created = 0, 0, 0
    for _, request in ipairs(world:requests {}) do
      if request.method == "POST" and request.path == "/v1/servers" then created = created + 1 end
      if request.path:match("/actions/poweron$") then on = on + 1 end
      if request.path:match("/actions/re[bs]") then reboots = reboots + 1 end
    end
    expect("nothing was created, and what was off was not rebooted", created == 0 and reboots == 0)
    expect("the server was switched on once", on == 1)

    local truth = world:truth { server = "hobby-1" }
    local rows = pg.counts { host = "hobby.webhost.systems", database = "webhost_prod", tables = { "sync_updates" } }
    expect("no committed row is missing", rows.tables.sync_updates >= truth.count)
  end,
}
