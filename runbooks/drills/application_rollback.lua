--- Scenario 2, the mild remedy does not suffice: the new release answers every request with an error.
local http, fly, pg = require "http", require "fly", require "pg"

return drill {
  title = "Application: the release is rolled back",
  runbook = "../application_failure.lua",
  world = "../worlds/production.toml",
  speed = 60,
  every = "monthly",
  operator = { ["Roll webhost-prod back to release 3 (registry.fly.io/webhost-prod:deployment-2024.11.1)"] = "yes" },
  objective = { rto = "30m" },

  fault = function(world)
    world:bad_release { app = "webhost-prod" }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")

    local answer = http.check { url = "https://webhost-prod.fly.dev/health", json = { status = "ok", release = "deployment-2024.11.1" } }
    expect("a customer gets a healthy answer from the last good release", answer.ok)
    local app = fly.status { app = "webhost-prod" }
    expect("three machines serve, all of one image", app.serving == 3 and #app.machines == 3 and #app.problems == 0)

    local truth = world:truth { server = "webhost-prod" }
    local rows = pg.counts { host = "webhost-prod-db.flycast", database = "webhost_prod", tables = { "sync_updates" } }
    expect("no committed row is missing", rows.tables.sync_updates >= truth.count)

    local made = 0
    for _, request in ipairs(world:requests {}) do
      if request.acted and request.method == "POST" and request.path == "/v1/apps/webhost-prod/machines" then made = made + 1 end
    end
    expect("one machine was made", made == 1)
  end,
}
