--- Scenario 1, a second disaster: the last replica dies while it is promoted, and only the archive is left.
local http, pg, fly = require "http", require "pg", require "fly"

return drill {
  title = "Database: the last replica dies, too",
  runbook = "../database_failure.lua",
  world = "../worlds/production.toml",
  speed = 60,
  every = "quarterly",
  input = { archive = "env:WEBHOST_DB_ARCHIVE" },
  operator = {
    ["Promote the best replica of webhost-prod-db"] = "yes",
    ["Restore webhost-prod-db from its backups into the new app webhost-prod-db-restored"] = "yes",
  },
  objective = { rto = "2h", rpo = "15m" },

  fault = function(world)
    world:lose_leader { app = "webhost-prod-db" }
    world:later { provider = "fly", method = "POST", path = "/v1/apps/webhost-prod-db/machines/*/metadata/drhost_promote",
      fault = "lose_machine", args = { machine = "webhost-prod-db-2" } }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")
    expect("a customer gets a healthy answer", http.check { url = "https://webhost-prod.fly.dev/health", json = { status = "ok" } }.ok)

    local rows = pg.counts { host = "webhost-prod-db-restored.flycast", database = "webhost_prod", tables = { "customers", "sync_updates" } }
    expect("the data is there", rows.tables.customers >= 200 and rows.tables.sync_updates >= 2000)
    expect("what was lost is measured", run.rpo_measured)

    local made, promoted, secrets, apps = 0, 0, 0, 0
    for _, request in ipairs(world:requests {}) do
      if request.acted and request.method == "POST" then
        if request.path:match("^/v1/apps/[^/]+/machines$") then made = made + 1 end
        if request.path:match("/metadata/drhost_promote$") then promoted = promoted + 1 end
        if request.path == "/v1/apps/webhost-prod/secrets" then secrets = secrets + 1 end
        if request.path == "/v1/apps" then apps = apps + 1 end
      end
    end
    expect("one app with one machine was made", apps == 1 and made == 1 and #fly.machines { app = "webhost-prod-db-restored" } == 1)
    expect("its address was set once", secrets == 1)
    expect("a promotion was tried once", promoted == 1)
  end,
}
