local health, outage = require "std.health", require "std.outage"
local early = health.ok("x") --! this calls http.check while the file is loaded
return runbook {
  title = "Std",
  run = function()
    outage.tell()
    outage.tel() --! there is no function std.outage.tel; did you mean "tell"?
    local well = health.ok("http://example.org")
    print(well.ok, early) --! well is true or false and has no field "ok"
    expect("it is well", eventually("1m", function()
      return health.watch() --! this call reaches the step "Watch the health", which cannot stand inside eventually
    end))
    health.watch()
    health.watch() --! line 13 reaches the step "Watch the health" already
    print(run:result("Watch the healt")) --! no step is titled "Watch the healt"; did you mean "Watch the health"?
  end,
}
