--- Scenario 2, the mild remedy suffices: one machine ran out of memory, the other one hangs.
local http, fly = require "http", require "fly"

return drill {
  title = "Application: a restart is enough",
  runbook = "../application_failure.lua",
  world = "../worlds/production.toml",
  speed = 60,
  every = "monthly",
  objective = { rto = "30m" },

  fault = function(world)
    world:kill_machine { machine = "webhost-prod-1" }
    world:hang_machine { machine = "webhost-prod-2" }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")

    local answer = http.check { url = "https://webhost-prod.fly.dev/health", json = { status = "ok" } }
    expect("a customer gets a healthy answer", answer.ok)
    expect("both machines serve", fly.status { app = "webhost-prod" }.serving == 2)

    local made, restarts = 0, {}
    for _, request in ipairs(world:requests {}) do
      local machine, what = request.path:match("^/v1/apps/webhost%-prod/machines/([^/]+)/(%a+)$")
      if request.acted and (what == "restart" or what == "start") then restarts[machine] = (restarts[machine] or 0) + 1 end
      if request.acted and request.method == "POST" and request.path:match("/machines$") then made = made + 1 end
    end
    for _, count in pairs(restarts) do expect("a machine was restarted once", count == 1) end
    expect("no machine was made", made == 0)
  end,
}
