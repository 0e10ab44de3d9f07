--- What a fault that was caught says about the next remedy.
local faults = {}

local blocking = { unavailable = true, denied = true, rate_limited = true }

--- Whether the remedy did not fail, but was not let happen: the provider is out of reach, the token is refused, or somebody else holds the machine. A stronger remedy would meet the same, and may do harm meanwhile.
function faults.blocked(fault)
  return blocking[fault.kind] or fault.message:find("is leased by", 1, true) ~= nil
end

return faults
