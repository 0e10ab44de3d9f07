--- Scenario 2, a second disaster: during the rollback the region fills up, and there is no room for a third machine.
local http, fly = require "http", require "fly"

return drill {
  title = "Application: no room to scale",
  runbook = "../application_failure.lua",
  world = "../worlds/production.toml",
  speed = 60,
  every = "quarterly",
  operator = { ["Roll webhost-prod back to release 3 (registry.fly.io/webhost-prod:deployment-2024.11.1)"] = "yes" },
  objective = { rto = "30m" },

  fault = function(world)
    world:bad_release { app = "webhost-prod" }
    world:later { provider = "fly", method = "POST", path = "/v1/apps/webhost-prod/machines/*", fault = "region_full", args = { region = "ams" } }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")
    expect("and says what is missing", run.message:match("needs 3") ~= nil)
    local answer = http.check { url = "https://webhost-prod.fly.dev/health", json = { status = "ok", release = "deployment-2024.11.1" } }
    expect("a customer gets a healthy answer from the last good release", answer.ok)
    local app = fly.status { app = "webhost-prod" }
    expect("both machines serve", app.serving == 2 and #app.machines == 2)
  end,
}
