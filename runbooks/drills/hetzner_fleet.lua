--- Scenario 3 for a whole tier: some servers hang, one is off, and requests to Hetzner are scarce.
local hetzner, ssh = require "hetzner", require "ssh"

return drill {
  title = "Hetzner: a fleet is brought back",
  runbook = "../hobby_fleet.lua",
  world = "../worlds/fleet.toml",
  speed = 60,
  every = "quarterly",
  input = { label = "tier=hobby", domain = "-" },
  operator = { ["Start or reboot the 3 of 4 servers that do not answer"] = "yes" },
  objective = { rto = "4h" },

  fault = function(world)
    world:hang_server { server = "fleet-1" }
    world:hang_server { server = "fleet-2" }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")
    for _, server in ipairs(hetzner.servers { label = "tier=hobby" }) do
      expect(server.name .. " answers", ssh.ready { host = server.ipv4 }.ok)
    end
    local changes = {}
    for _, request in ipairs(world:requests {}) do
      if request.acted then changes[#changes + 1] = request.path end
    end
    expect("three servers were started or reset, each once, and no other was touched", #changes == 3)
  end,
}
