--- Scenario 4 with a revoked API token: the run stops, says so, and has changed nothing.
local dns = require "dns"

return drill {
  title = "DNS: the token is revoked",
  runbook = "../dns_failure.lua",
  world = "../worlds/webhost.toml",
  speed = 60,
  every = "quarterly",
  ends = "failed",
  objective = { rto = "1h" },

  fault = function(world)
    world:wrong_record { name = "hobby.webhost.systems", content = "203.0.113.250" }
    world:revoke_token { provider = "cloudflare" }
  end,

  expect = function(world, run)
    expect("the run stops", run.result == "failed")
    expect("and names the token", run.message:lower():match("token") ~= nil)
    local changed = 0
    for _, request in ipairs(world:requests {}) do
      if request.mutation then changed = changed + 1 end
    end
    expect("nothing was sent that changes anything", changed == 0)
    expect("the record is as it was", dns.lookup { name = "hobby.webhost.systems" }.answers[1] == "203.0.113.250")
  end,
}
