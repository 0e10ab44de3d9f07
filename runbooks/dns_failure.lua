--- Scenario 4 of the recovery plan: customers do not find the service, because its DNS is wrong.
local cloudflare, dns, notify = require "cloudflare", require "dns", require "notify"
local zones, health = require "std.dns", require "std.health"

-- The zone as it should be, all of it: a record that is not in this list is
-- rogue. Edit it when something moves. A line names a server or a floating IP
-- at Hetzner, or says its content. ttl and proxied may be left out: any will do.
local wanted = {
  { name = "hobby", server = "hobby-1", ttl = 60 },
  { name = "hobby-2", server = "hobby-2", ttl = 60 },
  { name = "hobby-static", floating_ip = "hobby-ip", ttl = 300 },
  { name = "storage", server = "storage-1", ttl = 300 },
  { name = "www.hobby", type = "CNAME", content = "hobby.webhost.systems", ttl = 300 },
  { name = "@", type = "MX", content = "mail.example.com", priority = 10 },
  { name = "@", type = "TXT", content = "v=spf1 -all" },
}

return runbook {
  title = "DNS failure",
  severity = "high",
  impact = "Service inaccessible",
  objective = { rto = "1h", rpo = "0s" },
  input = {
    zone = { doc = "The DNS zone", default = "webhost.systems" },
    domain = { doc = "Name under which customers reach the service", default = "hobby.webhost.systems" },
    server = { doc = "Server that should answer them", default = "hobby-1" },
  },

  run = function(input)
    local records = step("Find out what the zone should be", function()
      return zones.addresses(wanted)
    end)

    step("Check DNS as the world sees it", { optional = true }, function()
      zones.note(input.domain)
    end)

    local state = step("Check Cloudflare", function()
      local token = cloudflare.verify_token {}
      expect("Cloudflare's token is active (else make a new one: dash.cloudflare.com, My Profile, API Tokens)", token.status == "active")
      local zone = cloudflare.zone { name = input.zone }
      expect("Cloudflare answers for " .. input.zone .. " (else set its name servers at the registrar: "
        .. table.concat(zone.nameservers, ", ") .. ")", zone.status == "active")
      local delegated = dns.nameservers { zone = input.zone }
      local ours, strange = {}, {}
      for _, name in ipairs(zone.nameservers) do ours[name] = true end
      for _, server in ipairs(delegated.servers) do
        if not ours[server.name] then table.insert(strange, server.name) end
      end
      expect(input.zone .. " is delegated to Cloudflare" .. (#strange > 0 and ", not to " .. table.concat(strange, ", ") or ""), #strange == 0)
      return { paused = zone.paused }
    end)
    if state.paused then note("The zone is paused: Cloudflare answers DNS and proxies nothing") end

    local export = step("Export the zone before it is touched", function()
      return cloudflare.export_zone { zone = input.zone }
    end)

    local found = step("Verify the DNS records", function()
      local edits = zones.differences(input.zone, records)
      for _, edit in ipairs(edits) do note("To do: " .. edit.says) end
      return edits
    end)
    if #found == 0 then
      step("Verify as a customer whether it is DNS at all", function()
        expect(input.server .. " answers customers (DNS is right: go on with hetzner_failure.lua)",
          health.customers_reach(input.server, input.domain, "1m"))
      end)
      return finish("Every record is right and customers are answered; nothing was changed")
    end

    step("Tell the team", { optional = true }, function()
      notify.send { subject = "DNS of " .. input.zone .. " is wrong", severity = "high",
        text = "To do: " .. zones.sentence(found) .. ". Recovery has begun." }
    end)

    local mild, harsh = zones.sorted(found)
    if #mild > 0 then
      step("Set wrong and missing records right", {
        undo = function() cloudflare.restore_zone_exactly { zone = input.zone, records = export.records } end,
      }, function()
        return cloudflare.batch { zone = input.zone, edits = mild }
      end)
    end
    if #harsh > 0 then
      approve("In zone " .. input.zone .. ": " .. zones.sentence(harsh))
      step("Delete what does not belong there", {
        undo = function() cloudflare.restore_zone_exactly { zone = input.zone, records = export.records } end,
      }, function()
        return cloudflare.batch_delete { zone = input.zone, edits = harsh }
      end)
    end

    local stayed = step("Verify that the records stay right", function()
      return zones.right_within("15s", input.zone, records)
    end)
    if not stayed then
      note("Somebody changes the records while we repair them: see the audit log of Cloudflare, and replace the API token")
      local again = step("Find out what was changed again", function()
        return zones.differences(input.zone, records)
      end)
      if #again > 0 then
        approve("Somebody changed zone " .. input.zone .. " during the repair. Once more: " .. zones.sentence(again))
        step("Set the records right once more", {
          undo = function() cloudflare.restore_zone_exactly { zone = input.zone, records = export.records } end,
        }, function()
          local _, deleting = zones.sorted(again)
          if #deleting == 0 then return cloudflare.batch { zone = input.zone, edits = again } end
          return cloudflare.batch_delete { zone = input.zone, edits = again }
        end)
      end
      step("Verify that they stay right now", function()
        expect("nobody changes the zone any more (else replace the API token first)", zones.right_within("15s", input.zone, records))
      end)
    end

    step("Wait until the responsible name servers know it", function()
      zones.wait(input.zone, records, found, "10m")
    end)

    step("See what resolvers still remember", { optional = true }, function()
      zones.note(input.domain)
    end)

    step("Verify as a customer", function()
      expect("a customer who looks up " .. input.domain .. " gets a healthy answer from " .. input.server
        .. " (its DNS is right now: if nothing answers there, go on with hetzner_failure.lua)",
        health.customers_reach(input.server, input.domain, "10m"))
    end)

    step("Tell the team that service is restored", { optional = true }, function()
      notify.send { subject = "Restored: DNS of " .. input.zone, severity = "info",
        text = input.domain .. " leads to " .. input.server .. " again." }
    end)

    return finish("DNS of " .. input.zone .. " is right again. Next: find out in Cloudflare's audit log who changed it, "
      .. "replace the API token if nobody did, and hold the post-mortem. Resolvers that remember a wrong answer can be asked "
      .. "to forget it: one.one.one.one/purge-cache, dns.google/cache")
  end,
}
