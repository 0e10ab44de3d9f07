--- Scenario 5, a second disaster: during the move the network to Cloudflare is cut.
local http, pg = require "http", require "pg"

return drill {
  title = "Region: Cloudflare is cut off meanwhile",
  runbook = "../region_outage.lua",
  world = "../worlds/production.toml",
  speed = 60,
  every = "quarterly",
  operator = { ["Give up region ams and move webhost-prod to fra"] = "yes" },
  objective = { rto = "4h", rpo = "1h" },

  fault = function(world)
    world:region_down { region = "ams" }
    world:later { provider = "fly", method = "POST", path = "/v1/apps/webhost-prod/machines", fault = "cut_provider", args = { provider = "cloudflare" } }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")
    for _, name in ipairs { "webhost-prod.fly.dev", "webhost.systems", "app.webhost.systems" } do
      local answer = http.check { url = "https://" .. name .. "/health", json = { status = "ok", region = "fra" } }
      expect("a customer gets a healthy answer from fra at " .. name, answer.ok)
    end
    local rows = pg.counts { host = "webhost-prod-db-replica.flycast", database = "webhost_prod", tables = { "customers" } }
    expect("the data is there", rows.tables.customers >= 200)

    local made, promoted, secrets, apps = 0, 0, 0, 0
    for _, request in ipairs(world:requests {}) do
      if request.acted and request.method == "POST" then
        if request.path:match("^/v1/apps/[^/]+/machines$") then made = made + 1 end
        if request.path:match("/metadata/drhost_promote$") then promoted = promoted + 1 end
        if request.path == "/v1/apps/webhost-prod/secrets" then secrets = secrets + 1 end
        if request.path == "/v1/apps" then apps = apps + 1 end
      end
    end
    expect("everything was done once", made == 2 and promoted == 1 and secrets == 1 and apps == 0)
  end,
}
