--- Scenario 1, the mild remedy does not suffice: the host of the primary is lost, and the cluster has no leader.
local http, pg, fly = require "http", require "pg", require "fly"

return drill {
  title = "Database: a replica is promoted",
  runbook = "../database_failure.lua",
  world = "../worlds/production.toml",
  speed = 60,
  every = "monthly",
  operator = { ["Promote the best replica of webhost-prod-db"] = "yes" },
  objective = { rto = "2h", rpo = "15m" },

  fault = function(world)
    world:lose_leader { app = "webhost-prod-db" }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")

    local answer = http.check { url = "https://webhost-prod.fly.dev/health", json = { status = "ok" } }
    expect("a customer gets a healthy answer", answer.ok)

    local cluster = fly.pg_status { app = "webhost-prod-db" }
    expect("a machine leads the cluster", cluster.leader ~= nil)
    local rows = pg.counts { host = "webhost-prod-db.flycast", database = "webhost_prod", tables = { "customers", "sync_updates" } }
    expect("all customers are there", rows.tables.customers >= 200)
    expect("and their updates", rows.tables.sync_updates >= 2000)
    expect("what was lost is measured", run.rpo_measured)

    local promoted, made = 0, 0
    for _, request in ipairs(world:requests {}) do
      if request.acted and request.path:match("/metadata/drhost_promote$") then promoted = promoted + 1 end
      if request.acted and request.method == "POST" and request.path:match("/machines$") then made = made + 1 end
    end
    expect("one replica was chosen, once", promoted == 1)
    expect("no machine was made", made == 0)
  end,
}
