--- Scenario 1, the mild remedy suffices: the primary hangs, a restart heals it.
local http, pg = require "http", require "pg"

return drill {
  title = "Database: a restart is enough",
  runbook = "../database_failure.lua",
  world = "../worlds/production.toml",
  speed = 60,
  every = "monthly",
  objective = { rto = "2h", rpo = "15m" },

  fault = function(world)
    world:hang_machine { machine = "webhost-prod-db-1" }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")

    local answer = http.check { url = "https://webhost-prod.fly.dev/health", json = { status = "ok" } }
    expect("a customer gets a healthy answer", answer.ok)

    local truth = world:truth { server = "webhost-prod" }
    local rows = pg.counts { host = "webhost-prod-db.flycast", database = "webhost_prod", tables = { "sync_updates" } }
    expect("no committed row is missing", rows.tables.sync_updates >= truth.count)

    local restarts, created = {}, 0
    for _, request in ipairs(world:requests {}) do
      local app, machine = request.path:match("^/v1/apps/([^/]+)/machines/([^/]+)/restart$")
      if app == "webhost-prod-db" and request.acted then restarts[machine] = (restarts[machine] or 0) + 1 end
      if request.method == "POST" and request.path:match("/machines$") and request.acted then created = created + 1 end
    end
    local machines = 0
    for _, count in pairs(restarts) do
      machines = machines + 1
      expect("a machine of the database was restarted once", count == 1)
    end
    expect("both were", machines == 2)
    expect("nothing was created", created == 0)
  end,
}
