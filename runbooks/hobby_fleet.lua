--- Scenario 3 of the recovery plan for a whole tier at once: every server of a label that does not answer is started or rebooted.
local hetzner, http, ssh = require "hetzner", require "http", require "ssh"

return runbook {
  title = "Hetzner fleet failure",
  severity = "critical",
  impact = "Complete outage for all hobby-tier customers",
  objective = { rto = "4h", rpo = "1h" },
  input = {
    label = { doc = "Label of the servers to recover", default = "tier=hobby" },
    domain = { doc = "Name under which the application on each answers /health; - asks for SSH alone", default = "hobby.webhost.systems" },
    within = { doc = "How long a server may take until it answers again", default = "5m" },
  },

  run = function(input)
    local function answers(server)
      if input.domain == "-" then return ssh.ready { host = server.ipv4 }.ok end
      return http.check { url = "http://" .. input.domain .. "/health", address = server.ipv4, json = { status = "ok" } }.ok
    end

    local fleet = step("List the servers", function()
      local list = {}
      for _, server in ipairs(hetzner.servers { label = input.label }) do
        list[#list + 1] = { name = server.name, id = server.id, status = server.status, ipv4 = server.ipv4 }
      end
      expect("there are servers with the label " .. input.label, #list > 0)
      return list
    end)

    local well = each("Ask every server whether it is well", fleet, { at_once = 64 },
      function(server) return server.status == "running" and answers(server) end)
    local down = {}
    for _, server in ipairs(fleet) do
      if not well[server.name] then down[#down + 1] = server end
    end
    if #down == 0 then
      return finish("All " .. #fleet .. " servers answer as they should; nothing was changed")
    end

    approve("Start or reboot the " .. #down .. " of " .. #fleet .. " servers that do not answer")

    local back, failures = each("Bring every server back", down,
      { at_once = 500, keep_going = true }, function(server)
        if server.status == "off" then
          hetzner.poweron { server = server.id }
        else
          hetzner.reboot { server = server.id, mode = "hard" }
        end
        return eventually(input.within, { every = "2s" }, function() return answers(server) end)
      end)

    local lost = {}
    for _, server in ipairs(down) do
      if not back[server.name] then lost[#lost + 1] = server.name end
    end
    for name, failure in pairs(failures) do note(name .. ": " .. failure.message) end
    if #lost > 0 then
      note("Still down: " .. table.concat(lost, ", ") .. ". Next: run hetzner_failure for each of them")
    end
    expect("every server answers again", #lost == 0)
    return finish(#down .. " of " .. #fleet .. " servers were down and serve again")
  end,
}
