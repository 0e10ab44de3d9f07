--- Scenario 5 with the providers against it: APIs that limit, fail, and fail after having acted.
local http, pg, fly = require "http", require "pg", require "fly"

return drill {
  title = "Region: moved although the APIs fail",
  runbook = "../region_outage.lua",
  world = "../worlds/production.toml",
  speed = 60,
  every = "quarterly",
  operator = { ["Give up region ams and move webhost-prod to fra"] = "yes" },
  objective = { rto = "4h", rpo = "1h" },

  fault = function(world)
    world:region_down { region = "ams" }
    world:wrong_record { name = "webhost.systems", content = "203.0.113.250" }
    world:api { provider = "fly", kind = "rate_limited", count = 2 }
    world:api { provider = "fly", kind = "failing", count = 2, status = 503, method = "GET" }
    world:api { provider = "fly", kind = "act_then_fail", count = 1, method = "POST", path = "/v1/apps/webhost-prod/machines" }
    world:api { provider = "fly", kind = "act_then_fail", count = 1, method = "POST", path = "/v1/apps/webhost-prod/secrets" }
    world:api { provider = "fly", kind = "act_then_fail", count = 1, cut = true, method = "POST", path = "/v1/apps/webhost-prod-db-replica/machines/*/metadata/drhost_promote" }
    world:api { provider = "cloudflare", kind = "act_then_fail", count = 1, method = "mutation" }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")
    for _, name in ipairs { "webhost-prod.fly.dev", "webhost.systems", "app.webhost.systems" } do
      local answer = http.check { url = "https://" .. name .. "/health", json = { status = "ok", region = "fra" } }
      expect("a customer gets a healthy answer from fra at " .. name, answer.ok)
    end
    local rows = pg.counts { host = "webhost-prod-db-replica.flycast", database = "webhost_prod", tables = { "customers", "sync_updates" } }
    expect("the data is there", rows.tables.customers >= 200 and rows.tables.sync_updates >= 2000)

    local made, promoted, secrets, apps = 0, 0, 0, 0
    for _, request in ipairs(world:requests {}) do
      if request.acted and request.method == "POST" then
        if request.path:match("^/v1/apps/[^/]+/machines$") then made = made + 1 end
        if request.path:match("/metadata/drhost_promote$") then promoted = promoted + 1 end
        if request.path == "/v1/apps/webhost-prod/secrets" then secrets = secrets + 1 end
        if request.path == "/v1/apps" then apps = apps + 1 end
      end
    end
    expect("each machine was copied once, although the answer was lost", made == 2 and #fly.machines { app = "webhost-prod", region = "fra" } == 2)
    expect("no app was made", apps == 0 and promoted > 0)
    expect("the address reached the API", secrets >= 1)
  end,
}
