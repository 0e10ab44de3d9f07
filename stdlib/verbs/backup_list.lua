--- drhost backup list: what is in the repository.
local backup = require "backup"

return runbook {
  title = "List the backups",
  input = {
    database = { doc = "Only backups of this database, cluster or folder", optional = true },
    limit = { doc = "At most so many", default = "20" },
  },

  run = function(input)
    local found = step("Look into the repository", function()
      return backup.list { database = input.database, limit = tonumber(input.limit) or 20 }
    end)
    return finish(#found .. " backups")
  end,
}
