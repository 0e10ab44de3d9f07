--- Scenario 1 while a deployment hangs that holds the machine: the run stops, says who holds it, and tries nothing stronger.
return drill {
  title = "Database: somebody else holds the machine",
  runbook = "../database_failure.lua",
  world = "../worlds/production.toml",
  speed = 60,
  every = "quarterly",
  ends = "failed",
  objective = { rto = "2h" },

  fault = function(world)
    world:lose_leader { app = "webhost-prod-db" }
    world:hold_lease { machine = "webhost-prod-db-2", by = "anna@webhost.systems", minutes = 10080 }
  end,

  expect = function(world, run)
    expect("the run stops", run.result == "failed")
    expect("and names who holds the machine", run.message:find("leased by anna@webhost.systems", 1, true) ~= nil)
    for _, request in ipairs(world:requests {}) do
      expect("nothing was changed", not (request.mutation and request.acted and not request.path:match("/exec$")))
    end
  end,
}
