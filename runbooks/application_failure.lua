--- Scenario 2 of the recovery plan: the application has failed, or serves badly.
local fly, notify = require "fly", require "notify"
local apps, database, faults, health = require "std.apps", require "std.database", require "std.faults", require "std.health"

return runbook {
  title = "Application failure",
  severity = "high",
  impact = "Service degradation or outage",
  objective = { rto = "30m", rpo = "0s" },
  input = {
    app = { doc = "Application at Fly.io", default = "webhost-prod" },
    database = { doc = "Postgres app that it uses", default = "webhost-prod-db" },
    page = { doc = "Health page, as customers reach it", default = "https://webhost-prod.fly.dev/health" },
    machines = { doc = "How many machines shall serve when customers come back all at once", default = 3 },
  },

  run = function(input)
    local found = step("Check the application", function()
      local app = fly.status { app = input.app }
      local answer = health.page(input.page)
      note(app.serving .. " of " .. #app.machines .. " machines serve; customers are "
        .. (answer.ok and "answered" or "not answered: " .. answer.reason))
      for _, problem in ipairs(app.problems) do note(problem) end
      return { image = app.image, serving = app.serving, unwell = app.unwell, well = app.well, answered = answer.ok }
    end)
    if found.answered and found.well then
      return finish(input.app .. " serves on all of its machines; nothing was changed")
    end

    step("Check the recent deployments", { optional = true }, function()
      for _, release in ipairs(fly.releases { app = input.app, limit = 5 }) do
        note("Release " .. release.version .. " (" .. release.status .. "): " .. release.image)
      end
      database.note_errors(input.app, "1h")
    end)

    step("See that it is not the database", function()
      local cluster = fly.pg_status { app = input.database }
      note(cluster.says)
      expect("the database is well (else go on with database_failure.lua, or region_outage.lua)", cluster.healthy)
    end)

    step("Tell the team", { optional = true }, function()
      notify.send { subject = "Trouble: " .. input.app, severity = "high",
        text = found.serving .. " machines of " .. input.app .. " serve customers. Recovery has begun." }
    end)

    local after_restart = step("Try a restart", function()
      if found.serving > 0 and #found.unwell > 0 then
        for _, id in ipairs(found.unwell) do
          local ok, fault = pcall(fly.machine_restart, { app = input.app, machine = id, within = "2m" })
          if not ok and faults.blocked(fault) then error(fault) end
          if not ok then note("Machine " .. id .. " did not come back: " .. tostring(fault)) end
        end
      else
        local ok, fault = pcall(fly.restart, { app = input.app, within = "2m" })
        if not ok and faults.blocked(fault) then error(fault) end
        if not ok then note("The restart did not help: " .. tostring(fault)) end
      end
      return health.customers_served(input.page, "1m") and apps.all_well_within("1m", input.app)
    end)
    if after_restart then
      return finish(input.app .. " serves on all of its machines after a restart. Next: look in its logs for what stopped it")
    end

    local now = step("Check whether customers are answered now", function()
      local app = fly.status { app = input.app }
      return { image = app.image, mend = not app.well and #app.unwell > 0 }
    end)

    if now.mend then -- machines on hosts that do not answer need others in their place, no other release
      local good = step("Find the last good release", function()
        return expect("there is an earlier release to go back to (else mend the application and deploy it)", apps.good_release(input.app, now.image))
      end)
      approve("Roll " .. input.app .. " back to release " .. good.version .. " (" .. good.image .. ")")
      step("Roll back", function()
        return fly.rollback { app = input.app, image = good.image }
      end)
    end

    step("Scale to handle the load", {
      optional = true,
      undo = function(before)
        if before.serving == 0 then return note("Nothing served before: the machines that were made are left, they are all there is") end
        fly.scale_count { app = input.app, count = before.serving }
      end,
    }, function()
      local before = fly.status { app = input.app }
      if before.serving < input.machines then
        fly.scale_count { app = input.app, count = input.machines }
      end
      return { serving = before.serving }
    end)

    local serving = step("Verify as a customer", function()
      expect("a customer gets a healthy answer at " .. input.page, health.customers_served(input.page, "5m"))
      return fly.status { app = input.app }.serving
    end)

    step("Tell the team that service is restored", { optional = true }, function()
      notify.send { subject = "Restored: " .. input.app, severity = "info", text = input.app .. " serves again." }
    end)

    return finish(input.app .. " serves again on " .. serving .. " machines" .. (serving < input.machines and ", and needs "
      .. input.machines .. " (fly.scale_count, in another region if this one is full)" or "") .. ". Next: deploy nothing before "
      .. "the cause is found; when the load is gone, fly.scale_count to what is usual; hold the post-mortem")
  end,
}
