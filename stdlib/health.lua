--- Whether an application is well, seen from outside.
local http = require "http"

local health = {}

--- The answer of an application's /health page; address looks past DNS.
function health.answer(domain, address)
  return http.check { url = "http://" .. domain .. "/health", address = address, json = { status = "ok" } }
end

--- Whether the application is well within the time given.
function health.within(time, domain, address)
  return eventually(time, { every = "10s" }, function()
    return health.answer(domain, address).ok
  end)
end

--- Whether customers who look the name up reach the server called name.
function health.customers_reach(server, domain, time)
  return eventually(time, { every = "10s" }, function()
    local answer = http.check { url = "http://" .. domain .. "/health", json = { status = "ok", server = server } }
    return answer.ok
  end)
end

--- The answer of a health page by its whole address, https as a customer types it.
function health.page(url)
  return http.check { url = url, json = { status = "ok" } }
end

--- Whether customers are answered at a health page within the time given; region, when given, is where the answer has to come from.
function health.customers_served(url, time, region)
  return eventually(time, { every = "10s" }, function()
    return http.check { url = url, json = { status = "ok", region = region } }.ok
  end)
end

--- Waits until customers are answered at all of several health pages; fails with what each answers when the time is over. region, when given, is where the answers have to come from.
function health.all_served(urls, time, region)
  local well = { status = "ok", region = region }
  local served = eventually(time, { every = "10s" }, function()
    for _, url in ipairs(urls) do
      if not http.check { url = url, json = well }.ok then return false end
    end
    return true
  end)
  if served then return end
  local says = {}
  for _, url in ipairs(urls) do table.insert(says, url .. " " .. (http.check { url = url, json = well }.reason or "is well")) end
  error("customers are not answered everywhere (where it is DNS, go on with dns_failure.lua, then resume): " .. table.concat(says, "; "))
end

return health
