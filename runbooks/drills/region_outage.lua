--- Scenario 5, the quarterly drill of the plan: the primary region is out, with the application and its database.
local http, pg, fly = require "http", require "pg", require "fly"

return drill {
  title = "Region: complete outage",
  runbook = "../region_outage.lua",
  world = "../worlds/production.toml",
  speed = 60,
  every = "quarterly",
  operator = { ["Give up region ams and move webhost-prod to fra"] = "yes" },
  objective = { rto = "4h", rpo = "1h" },

  fault = function(world)
    world:region_down { region = "ams" }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")

    for _, name in ipairs { "webhost-prod.fly.dev", "webhost.systems", "www.webhost.systems", "app.webhost.systems" } do
      local answer = http.check { url = "https://" .. name .. "/health", json = { status = "ok", region = "fra" } }
      expect("a customer gets a healthy answer from fra at " .. name, answer.ok)
    end

    local rows = pg.counts { host = "webhost-prod-db-replica.flycast", database = "webhost_prod", tables = { "customers", "sync_updates" } }
    expect("all customers are there", rows.tables.customers >= 200)
    expect("and their updates", rows.tables.sync_updates >= 2000)
    expect("what was lost is measured", run.rpo_measured)
    expect("the replica leads now", fly.pg_status { app = "webhost-prod-db-replica" }.leader ~= nil)

    local made, promoted, secrets = 0, 0, 0
    for _, request in ipairs(world:requests {}) do
      if request.acted and request.method == "POST" then
        if request.path == "/v1/apps/webhost-prod/machines" then made = made + 1 end
        if request.path:match("/metadata/drhost_promote$") then promoted = promoted + 1 end
        if request.path == "/v1/apps/webhost-prod/secrets" then secrets = secrets + 1 end
      end
    end
    expect("each of the two machines was copied once", made == 2)
    expect("one replica was promoted, once", promoted == 1)
    expect("the address was set once", secrets == 1)

    local told = {}
    for _, message in ipairs(world:inbox {}) do table.insert(told, message.body.subject or "") end
    expect("the team was told of the outage and of its end, and that it was a drill", #told == 2 and told[1]:match("DRILL") and told[2]:match("DRILL"))
  end,
}
