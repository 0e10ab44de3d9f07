--- Scenario 1 with a revoked API token: the run stops, says so, and has changed nothing.
return drill {
  title = "Database: the token is revoked",
  runbook = "../database_failure.lua",
  world = "../worlds/production.toml",
  speed = 60,
  every = "quarterly",
  ends = "failed",
  objective = { rto = "2h" },

  fault = function(world)
    world:hang_machine { machine = "webhost-prod-db-1" }
    world:revoke_token { provider = "fly" }
  end,

  expect = function(world, run)
    expect("the run stops", run.result == "failed")
    expect("and names the token", run.message:lower():match("token") ~= nil)
    for _, request in ipairs(world:requests {}) do
      expect("nothing was sent that changes anything", not (request.mutation and request.acted))
    end
  end,
}
