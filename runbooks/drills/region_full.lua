--- Scenario 5, a second disaster: the backup region has no room left, as everybody has gone there.
local http, pg, fly = require "http", require "pg", require "fly"

return drill {
  title = "Region: the backup region is full",
  runbook = "../region_outage.lua",
  world = "../worlds/production.toml",
  speed = 60,
  every = "quarterly",
  operator = { ["Give up region ams and move webhost-prod to fra"] = "yes" },
  objective = { rto = "4h", rpo = "1h" },

  fault = function(world)
    world:region_down { region = "ams" }
    world:later { provider = "fly", method = "POST", path = "/v1/apps/webhost-prod/machines", fault = "region_full", args = { region = "fra" } }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")
    local answer = http.check { url = "https://webhost.systems/health", json = { status = "ok" } }
    expect("a customer gets a healthy answer", answer.ok) -- from cdg, or from the copy that fra still had room for
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
    expect("one replica was promoted, once", promoted == 1)
    expect("no app was made", apps == 0)
    expect("two machines serve from the second region", #fly.machines { app = "webhost-prod", region = "cdg" } == 2)
  end,
}
