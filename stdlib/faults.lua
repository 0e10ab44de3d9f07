--- What a fault that was caught says about the next remedy.
local faults = {}

--- Whether the remedy did not fail, but was not let happen: the provider is out of reach, the token is refused, or somebody else holds the machine. A stronger remedy would meet the same, and may do harm meanwhile.
function faults.blocked(fault)
  return fault.kind == "unavailable" or fault.kind == "denied" or fault.kind == "rate_limited"
    or fault.kind == "conflict" and fault.message:find("is leased by", 1, true) ~= nil
end

return faults
