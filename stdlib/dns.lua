--- A DNS zone held against the list of what it should be, and repaired.
local cloudflare, dns, hetzner = require "cloudflare", require "dns", require "hetzner"

local zones = {}

--- The list with an address for every line that names a server or a floating IP at Hetzner instead of a content.
function zones.addresses(list)
  local out = {}
  for _, line in ipairs(list) do
    local record = {}
    for key, value in pairs(line) do
      if key ~= "server" and key ~= "floating_ip" then record[key] = value end
    end
    if line.server then record.content = hetzner.server { name = line.server }.ipv4 end
    if line.floating_ip then record.content = hetzner.floating_ip { name = line.floating_ip }.ip end
    table.insert(out, record)
  end
  return out
end

--- The whole form of a name: "www", "@" and "www.webhost.systems" are all taken.
function zones.whole(name, zone)
  if name == "@" or name == zone then return zone end
  if name:sub(-#zone - 1) == "." .. zone then return name end
  return name .. "." .. zone
end

--- What has to change so that the zone is as wanted: a list of edits, empty when all is right. The list is the whole zone: what it lacks is rogue.
function zones.differences(zone, wanted)
  return cloudflare.diff_zone { zone = zone, records = wanted, complete = true }
end

--- Whether the zone is as wanted within the time given.
function zones.right_within(time, zone, wanted)
  return eventually(time, { every = "5s" }, function()
    return #zones.differences(zone, wanted) == 0
  end)
end

--- The edits in two lists: those that only create and change, and those that delete or share a name with a deletion.
function zones.sorted(edits)
  local doomed, mild, harsh = {}, {}, {}
  for _, edit in ipairs(edits) do
    if edit.action == "delete" then doomed[edit.name] = true end
  end
  for _, edit in ipairs(edits) do
    table.insert(doomed[edit.name] and harsh or mild, edit)
  end
  return mild, harsh
end

--- The edits as one sentence.
function zones.sentence(edits)
  local words = {}
  for _, edit in ipairs(edits) do table.insert(words, edit.says) end
  return table.concat(words, "; ")
end

--- What a name should answer: the contents of the wanted records of that name and type; empty when Cloudflare answers in their place.
function zones.expected(zone, wanted, name, type)
  local out = {}
  for _, record in ipairs(wanted) do
    if not record.proxied and zones.whole(record.name, zone) == name and (record.type or "A") == type then
      table.insert(out, record.content)
    end
  end
  return out
end

--- Waits until the responsible name servers give what is wanted for the names that the edits touched. What Cloudflare answers itself (proxied) is left out.
function zones.wait(zone, wanted, edits, time)
  local asked = {}
  for _, edit in ipairs(edits) do
    local plain = edit.type == "A" or edit.type == "AAAA" or edit.type == "CNAME"
    local expected = plain and zones.expected(zone, wanted, edit.name, edit.type) or {}
    local seen = edit.name .. " " .. edit.type
    if #expected > 0 and not asked[seen] then
      asked[seen] = true
      dns.wait_propagated { name = edit.name, type = edit.type, expect = expected, within = time }
    end
  end
end

--- Notes what every responsible server and every resolver says of a name, and for how long that may be remembered.
function zones.note(name)
  for _, row in ipairs(dns.check { name = name, type = "A" }) do
    local says = row.problem or (#row.answers > 0 and table.concat(row.answers, ", ") or row.rcode)
    note(row.server .. " says " .. says .. ", for " .. row.ttl .. " s")
  end
end

return zones
