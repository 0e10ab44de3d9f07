--- Scenario 1, a second disaster: the primary is restarted, and at that moment its host dies for good.
local http, pg, fly = require "http", require "pg", require "fly"

return drill {
  title = "Database: it dies again during the restart",
  runbook = "../database_failure.lua",
  world = "../worlds/production.toml",
  speed = 60,
  every = "quarterly",
  operator = { ["Promote the best replica of webhost-prod-db"] = "yes" },
  objective = { rto = "2h", rpo = "15m" },

  fault = function(world)
    world:hang_machine { machine = "webhost-prod-db-1" }
    world:later { provider = "fly", method = "POST", path = "/v1/apps/webhost-prod-db/machines/*/restart", count = 2,
      fault = "lose_machine", args = { machine = "webhost-prod-db-1" } }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")
    expect("a customer gets a healthy answer", http.check { url = "https://webhost-prod.fly.dev/health", json = { status = "ok" } }.ok)

    local rows = pg.counts { host = "webhost-prod-db.flycast", database = "webhost_prod", tables = { "customers", "sync_updates" } }
    expect("the data is there", rows.tables.customers >= 200 and rows.tables.sync_updates >= 2000)
    local cluster = fly.pg_status { app = "webhost-prod-db" }
    expect("a machine leads, and the dead one is known", cluster.leader ~= nil and #cluster.problems > 0)

    local made, promoted, secrets, apps = 0, 0, 0, 0
    for _, request in ipairs(world:requests {}) do
      if request.acted and request.method == "POST" then
        if request.path:match("^/v1/apps/[^/]+/machines$") then made = made + 1 end
        if request.path:match("/metadata/drhost_promote$") then promoted = promoted + 1 end
        if request.path == "/v1/apps/webhost-prod/secrets" then secrets = secrets + 1 end
        if request.path == "/v1/apps" then apps = apps + 1 end
      end
    end
    expect("one replica was promoted, once", promoted == 1)
    expect("nothing was made", made == 0 and apps == 0 and secrets == 0)
  end,
}
