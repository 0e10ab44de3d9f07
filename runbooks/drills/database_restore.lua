--- Scenario 1 at its worst: nothing of the data can be used, and it comes back from the backups into a new app.
local http, pg, fly = require "http", require "pg", require "fly"

return drill {
  title = "Database: restored from its backups",
  runbook = "../database_failure.lua",
  world = "../worlds/production.toml",
  speed = 60,
  every = "quarterly",
  input = { escalate = "restore" },
  operator = { ["Restore webhost-prod-db from its backups into the new app webhost-prod-db-restored"] = "yes" },
  objective = { rto = "2h", rpo = "15m" },

  fault = function(world)
    world:lose_leader { app = "webhost-prod-db" }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")

    local answer = http.check { url = "https://webhost-prod.fly.dev/health", json = { status = "ok" } }
    expect("a customer gets a healthy answer", answer.ok)

    local rows = pg.counts { host = "webhost-prod-db-restored.flycast", database = "webhost_prod", tables = { "customers", "sync_updates" } }
    expect("all customers are there", rows.tables.customers >= 200)
    expect("and their updates", rows.tables.sync_updates >= 2000)
    expect("what was lost is measured", run.rpo_measured)
    expect("one machine was made", #fly.machines { app = "webhost-prod-db-restored" } == 1)

    local apps, secrets = 0, 0
    for _, request in ipairs(world:requests {}) do
      if request.acted and request.method == "POST" and request.path == "/v1/apps" then apps = apps + 1 end
      if request.acted and request.method == "POST" and request.path == "/v1/apps/webhost-prod/secrets" then secrets = secrets + 1 end
    end
    expect("one app was made, once", apps == 1)
    expect("and its address was set once", secrets == 1)
  end,
}
