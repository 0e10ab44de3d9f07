--- Scenario 2 with the provider against it: a bad release, and an API that limits, fails, and fails after having acted.
local http, fly = require "http", require "fly"

return drill {
  title = "Application: rolled back although the API fails",
  runbook = "../application_failure.lua",
  world = "../worlds/production.toml",
  speed = 60,
  every = "quarterly",
  operator = { ["Roll webhost-prod back to release 3 (registry.fly.io/webhost-prod:deployment-2024.11.1)"] = "yes" },
  objective = { rto = "30m" },

  fault = function(world)
    world:bad_release { app = "webhost-prod" }
    world:api { provider = "fly", kind = "rate_limited", count = 2 }
    world:api { provider = "fly", kind = "failing", count = 2, status = 500, method = "GET" }
    world:api { provider = "fly", kind = "act_then_fail", count = 1, method = "POST", path = "/v1/apps/webhost-prod/machines/*" }
    world:api { provider = "fly", kind = "act_then_fail", count = 1, cut = true, method = "POST", path = "/v1/apps/webhost-prod/machines" }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")
    local answer = http.check { url = "https://webhost-prod.fly.dev/health", json = { status = "ok", release = "deployment-2024.11.1" } }
    expect("a customer gets a healthy answer from the last good release", answer.ok)
    local app = fly.status { app = "webhost-prod" }
    expect("three machines serve, all of one image", app.serving == 3 and #app.machines == 3 and #app.problems == 0)

    local made, updates = 0, {}
    for _, request in ipairs(world:requests {}) do
      if request.acted and request.method == "POST" and request.path == "/v1/apps/webhost-prod/machines" then made = made + 1 end
      local machine = request.path:match("^/v1/apps/webhost%-prod/machines/([^/]+)$")
      if request.acted and request.method == "POST" and machine then updates[machine] = (updates[machine] or 0) + 1 end
    end
    expect("one machine was made, although the answer was lost", made == 1)
    for _, count in pairs(updates) do expect("a machine got the image once", count == 1) end
  end,
}
