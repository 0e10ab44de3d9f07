--- Scenario 5, the mild remedy suffices: the region comes back while one waits.
local http, pg, fly = require "http", require "pg", require "fly"

return drill {
  title = "Region: it comes back by itself",
  runbook = "../region_outage.lua",
  world = "../worlds/production.toml",
  speed = 60,
  every = "quarterly",
  objective = { rto = "4h" },

  fault = function(world)
    world:region_down { region = "ams" }
    world:later { provider = "fly", method = "GET", path = "/v1/apps/webhost-prod-db/machines", fault = "region_up", args = { region = "ams" } }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")
    expect("a customer gets a healthy answer from ams", http.check { url = "https://webhost-prod.fly.dev/health", json = { status = "ok", region = "ams" } }.ok)

    local truth = world:truth { server = "webhost-prod" }
    local rows = pg.counts { host = "webhost-prod-db.flycast", database = "webhost_prod", tables = { "sync_updates" } }
    expect("no committed row is missing", rows.tables.sync_updates >= truth.count)
    expect("the replica was left a replica", fly.pg_status { app = "webhost-prod-db-replica" }.leader == nil)
    for _, request in ipairs(world:requests {}) do
      expect("nothing was changed", not request.acted)
    end
  end,
}
