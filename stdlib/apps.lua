--- Applications at Fly.io: whether all machines are well, and where to go back to.
local fly = require "fly"

local apps = {}

--- Whether all the machines of an app but the cordoned ones are well within the time given; machines on hosts that do not answer count as unwell.
function apps.all_well_within(time, app)
  return eventually(time, { every = "10s" }, function()
    return fly.status { app = app }.well
  end)
end

--- The newest completed release whose image differs from the one given; nil when there is none among the last 25.
function apps.good_release(app, image)
  for _, release in ipairs(fly.releases { app = app, whole = true }) do
    if release.image ~= image then return release end
  end
  return nil
end

--- Moves an app to the first region of the list that has room for it, without asking whether its machines are well there yet: their database may have to move, too.
function apps.move(app, from, regions)
  for i, region in ipairs(regions) do
    local ok, moved = pcall(fly.move_region, { app = app, from = from, to = region, ready = "started" })
    if ok then return moved end
    if i == #regions or moved.kind ~= "exhausted" then error(moved) end
    note(region .. " has no room: " .. moved.message)
  end
end

return apps
