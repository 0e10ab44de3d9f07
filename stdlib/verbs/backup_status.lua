--- drhost backup status: what a disaster now would cost.
local backup = require "backup"

return runbook {
  title = "Tell the exposure",
  input = {
    database = { doc = "Only this database, cluster or folder", optional = true },
  },

  run = function(input)
    local found = step("Hold the repository against the objectives", function()
      return backup.status { database = input.database }
    end)
    local exceeded = 0
    for _, one in ipairs(found) do
      if one.exceeded then exceeded = exceeded + 1 end
    end
    return finish(exceeded .. " of " .. #found .. " exceed their objective")
  end,
}
