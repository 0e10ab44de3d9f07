--- Scenario 1 with the provider against it: no leader, and an API that limits, fails, and fails after having acted.
local http, pg, fly = require "http", require "pg", require "fly"

return drill {
  title = "Database: promoted although the API fails",
  runbook = "../database_failure.lua",
  world = "../worlds/production.toml",
  speed = 60,
  every = "quarterly",
  operator = { ["Promote the best replica of webhost-prod-db"] = "yes" },
  objective = { rto = "2h", rpo = "15m" },

  fault = function(world)
    world:lose_leader { app = "webhost-prod-db" }
    world:api { provider = "fly", kind = "rate_limited", count = 2 }
    world:api { provider = "fly", kind = "failing", count = 2, status = 503, method = "GET" }
    world:api { provider = "fly", kind = "act_then_fail", count = 1, method = "POST", path = "/v1/apps/webhost-prod-db/machines/*/restart" }
    world:api { provider = "fly", kind = "act_then_fail", count = 1, method = "POST", path = "/v1/apps/webhost-prod-db/machines/*/metadata/drhost_promote" }
    world:api { provider = "fly", kind = "act_then_fail", count = 1, cut = true, method = "POST", path = "/v1/apps/webhost-prod/machines/*/restart" }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")
    expect("a customer gets a healthy answer", http.check { url = "https://webhost-prod.fly.dev/health", json = { status = "ok" } }.ok)

    local rows = pg.counts { host = "webhost-prod-db.flycast", database = "webhost_prod", tables = { "customers", "sync_updates" } }
    expect("the data is there", rows.tables.customers >= 200 and rows.tables.sync_updates >= 2000)
    expect("a machine leads", fly.pg_status { app = "webhost-prod-db" }.leader ~= nil)

    local made, promoted, secrets, apps = 0, 0, 0, 0
    for _, request in ipairs(world:requests {}) do
      if request.acted and request.method == "POST" then
        if request.path:match("^/v1/apps/[^/]+/machines$") then made = made + 1 end
        if request.path:match("/metadata/drhost_promote$") then promoted = promoted + 1 end
        if request.path == "/v1/apps/webhost-prod/secrets" then secrets = secrets + 1 end
        if request.path == "/v1/apps" then apps = apps + 1 end
      end
    end
    expect("nothing was made", made == 0 and apps == 0)
    expect("no secret was set", secrets == 0)

    local restarts = {}
    for _, request in ipairs(world:requests {}) do
      local machine = request.path:match("^/v1/apps/webhost%-prod/machines/([^/]+)/restart$")
      if machine and request.acted then restarts[machine] = (restarts[machine] or 0) + 1 end
    end
    for _, count in pairs(restarts) do expect("a machine of the application was restarted once", count == 1) end
  end,
}
