local late = function() end
return runbook { --! a runbook needs title: What the runbook recovers from --! a runbook needs run
  titel = "Head", --! runbook has no field "titel"; did you mean "title"?
  severity = "criticl", --! runbook.severity cannot be "criticl"; did you mean "critical"?
  impact = 3, --! runbook.impact must be a text, not a number
  tags = { 1 }, --! this is a number
  objective = { rto = "four hours", rpo = 1, rta = "1h" }, --! objective.rto must be a time such as "30s" or "5m", not "four hours" --! objective.rpo must be a time --! objective has no field "rta"
  input = {
    server = { doc = "x", exmple = "y" }, --! input server has no field "exmple"; did you mean "example"?
    mode = { doc = "x", default = "hrad", choices = { "hard", "soft" } }, --! the default "hrad" is none of its choices; did you mean "hard"?
    bare = {}, --? input bare has no doc
    wrong = "x", --! input is written { name = { doc = "...", example = "..." }, ... }
    flag = { doc = "x", optional = "yes" }, --! input flag.optional must be true or false
  },
  comms = late, --! runbook.comms must be a text, not a function
  "stray", --! runbook takes named fields only
}
