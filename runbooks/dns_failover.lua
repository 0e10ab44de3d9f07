--- The monthly test of the plan: send customers to the standby by DNS, measure, and send them back.
local cloudflare, dns, hetzner, notify = require "cloudflare", require "dns", require "hetzner", require "notify"
local health = require "std.health"

return runbook {
  title = "DNS failover test",
  severity = "low",
  impact = "None: customers of the name are served by the standby for some minutes",
  objective = { rto = "30m", rpo = "0s" },
  input = {
    zone = { doc = "The DNS zone", default = "webhost.systems" },
    domain = { doc = "Name that customers use", default = "hobby.webhost.systems" },
    server = { doc = "Server that answers them", default = "hobby-1" },
    standby = { doc = "Server that shall answer them for a while", default = "hobby-2" },
  },

  run = function(input)
    local at = step("Find both servers, well enough for the test", function()
      local server, standby = hetzner.server { name = input.server }, hetzner.server { name = input.standby }
      expect(input.standby .. " is healthy, before customers are sent there", health.within("1m", input.domain, standby.ipv4))
      return { server = server.ipv4, standby = standby.ipv4 }
    end)

    step("Say that the test begins", { optional = true }, function()
      notify.send { subject = "Failover test of " .. input.domain, severity = "info",
        text = "Customers are sent from " .. input.server .. " to " .. input.standby .. " and back." }
    end)

    step("Export the zone before it is touched", function()
      return cloudflare.export_zone { zone = input.zone }
    end)

    step("Fail over", {
      undo = function()
        cloudflare.failover { zone = input.zone, name = input.domain, from = at.standby, to = at.server }
      end,
    }, function()
      return cloudflare.failover { zone = input.zone, name = input.domain, from = at.server, to = at.standby }
    end)

    step("Wait until the world knows the standby", function()
      dns.wait_propagated { name = input.domain, type = "A", expect = { at.standby } }
    end)

    step("Verify as a customer that the standby answers", function()
      expect("customers reach " .. input.standby, health.customers_reach(input.standby, input.domain, "10m"))
      note("Customers were served by " .. input.standby)
    end)

    step("Send customers back", function()
      return cloudflare.failover { zone = input.zone, name = input.domain, from = at.standby, to = at.server }
    end)

    step("Wait until the world knows the server again", function()
      dns.wait_propagated { name = input.domain, type = "A", expect = { at.server } }
    end)

    step("Verify as a customer that all is as before", function()
      expect("customers reach " .. input.server, health.customers_reach(input.server, input.domain, "10m"))
    end)

    step("Say how it went", { optional = true }, function()
      notify.send { subject = "Failover test of " .. input.domain .. " is over", severity = "info",
        text = "Customers were served by " .. input.standby .. " and are served by " .. input.server .. " again." }
    end)

    return finish("The failover of " .. input.domain .. " to " .. input.standby .. " and back works. Next: note the time it took in the log of tests")
  end,
}
