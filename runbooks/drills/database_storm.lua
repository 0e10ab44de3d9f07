--- Scenario 1 while everybody calls the provider: it refuses a dozen requests in a row, and the last replica dies under the restart.
local http, pg, fly = require "http", require "pg", require "fly"

return drill {
  title = "Database: the API asks for patience and the last replica dies",
  runbook = "../database_failure.lua",
  world = "../worlds/production.toml",
  speed = 60,
  every = "quarterly",
  input = { archive = "env:WEBHOST_DB_ARCHIVE" },
  operator = {
    ["Restore webhost-prod-db from its backups into the new app webhost-prod-db-restored"] = "yes",
  },
  objective = { rto = "2h", rpo = "15m" },

  fault = function(world)
    world:lose_leader { app = "webhost-prod-db" }
    world:api { provider = "fly", kind = "rate_limited", count = 12 }
    world:later { provider = "fly", method = "POST", path = "/v1/apps/webhost-prod-db/machines/*/restart",
      fault = "lose_machine", args = { machine = "webhost-prod-db-2" } }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")
    expect("a customer gets a healthy answer", http.check { url = "https://webhost-prod.fly.dev/health", json = { status = "ok" } }.ok)

    local rows = pg.counts { host = "webhost-prod-db-restored.flycast", database = "webhost_prod", tables = { "customers", "sync_updates" } }
    expect("the data is there", rows.tables.customers >= 200 and rows.tables.sync_updates >= 2000)
    expect("one machine was made", #fly.machines { app = "webhost-prod-db-restored" } == 1)

    local refused = 0
    for _, request in ipairs(world:requests {}) do
      if request.fault == "rate_limited" then refused = refused + 1 end
    end
    expect("the provider did refuse", refused > 0)
  end,
}
