--- Scenario 5, a second disaster: during the move the network to Cloudflare is cut, and its name servers with it.
local http, pg = require "http", require "pg"

return drill {
  title = "Region: and Cloudflare is cut off",
  runbook = "../region_outage.lua",
  world = "../worlds/production.toml",
  speed = 60,
  every = "quarterly",
  ends = "failed",
  operator = { ["Give up region ams and move webhost-prod to fra"] = "yes" },
  objective = { rto = "4h", rpo = "1h" },

  fault = function(world)
    world:region_down { region = "ams" }
    world:later { provider = "fly", method = "POST", path = "/v1/apps/webhost-prod/machines", fault = "cut_provider", args = { provider = "cloudflare" } }
  end,

  expect = function(world, run)
    expect("the run does not call that a success", run.result == "failed")
    expect("and says how to go on", run.message:match("dns_failure") ~= nil)
    local answer = http.check { url = "https://webhost-prod.fly.dev/health", json = { status = "ok", region = "fra" } }
    expect("who uses Fly's name is served from fra all the same", answer.ok)
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
