--- Scenario 2: the hosts of all its machines are lost; neither a restart nor another release helps, new machines do.
local http, fly = require "http", require "fly"

return drill {
  title = "Application: every host is lost",
  runbook = "../application_failure.lua",
  world = "../worlds/production.toml",
  speed = 60,
  every = "quarterly",
  objective = { rto = "30m" },

  fault = function(world)
    world:lose_machine { machine = "webhost-prod-1" }
    world:lose_machine { machine = "webhost-prod-2" }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")
    local answer = http.check { url = "https://webhost-prod.fly.dev/health", json = { status = "ok" } }
    expect("a customer gets a healthy answer", answer.ok)
    expect("three machines serve", fly.status { app = "webhost-prod" }.serving == 3)

    local made, releases = 0, #fly.releases { app = "webhost-prod" }
    for _, request in ipairs(world:requests {}) do
      if request.acted and request.method == "POST" and request.path:match("^/v1/apps/webhost%-prod/machines$") then made = made + 1 end
    end
    expect("three were made, each once", made == 3)
    expect("the release is the one that it was", releases == 3)
  end,
}
