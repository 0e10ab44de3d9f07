local hetzner = require "hetzner"
return runbook {
  title = "Words",
  run = function()
    step(function() end) --! step is written step(title, [options], fn), not with 1 argument --! step takes its title first, not a function
    step("No body") --! step is written step(title, [options], fn)
    step("Not a body", "text") --! step takes a function as fn, not a string
    step("Not options", 3, function() end) --! step takes its options as a table, not a number
    step("Typos", { timout = "5m", attemps = 3 }, function() end) --! step has no option "timout"; did you mean "timeout"? --! did you mean "attempts"?
    step("Kinds", { timeout = 5, attempts = 0, optional = "yes", owner = 3, undo = "no" }, function() end) --! option timeout must be a time --! option attempts must be a whole number from 1 on, not 0 --! option optional must be true or false --! option owner must be a text --! option undo must be a function
    step("Duration", { timeout = "soon" }, function() end) --! option timeout must be a time such as "30s" or "5m", not "soon"
    parallel("List", { function() end }) --! the branches of parallel have names
    parallel("Values", { a = 3 }) --! and this branch is a number
    parallel("Text", "x") --! parallel takes { name = function() ... end, ... }, not a string
    parallel("Options", { a = function() end }, { keep_goin = true }) --! did you mean "keep_going"?
    parallel("Empty", {}) --? parallel without branches does nothing
    each("No list", "x", function() end) --! each goes through a list, not a string
    each("Named", { a = 1 }, function() end) --! each goes through a list, not a table with named fields
    each("Option", { 1 }, { at_onc = 1 }, function() end) --! did you mean "at_once"?
    eventually("2m", function() return true end) --? nobody looks at that here
    expect("a", eventually("2 m", function() return true end)) --! eventually takes a time such as "30s" or "5m" as within, not "2 m"
    expect("b", eventually(120, function() return true end)) --! eventually takes a time
    expect("c", eventually("1m", { evry = "1s" }, function() return true end)) --! eventually has no option "evry"; did you mean "every"?
    expect("d", eventually("1m", function() return hetzner.server { name = "a" } end)) --! waits until its function returns true, and this one returns a
    expect("e", eventually("1m", function() hetzner.servers {} end)) --! this one returns nil
    retry({ attempt = 3 }, function() end) --! retry has no option "attempt"; did you mean "attempts"?
    approve() --! approve is written approve(text, [options])
    approve("x", { need = 2 }) --! did you mean "needs"?
    approve("x", { within = "never" }) --! option within must be a time
    ask("x", { choice = { "a" } }) --! did you mean "choices"?
    ask("x", { choices = "a" }) --! option choices must be a list of texts
    ask("x", { "a", "b" }) --! the options of ask have names
    expect("no condition") --! expect is written expect(text, condition), not with 1 argument
    expect(1 > 0, "turned") --! expect takes a text as text, not true or false
    expect("always", hetzner.servers {}) --! expect is given a list, which is never false
    expect("always", hetzner.servers) --! expect is given a function, which is never false; call it
    note({ a = 1 }) --! note takes a text as text, not a table
    note("x", "y") --! note takes a table with named fields as evidence, not a string
    note("") --! note takes a text as text, not an empty one
    secret(3) --! secret takes a text as reference
    run:result("Nothing", 1) --! run:result takes the title of a step
    run:elapsed(1) --! run:elapsed takes no arguments
    step:x() --! step is a function and has no methods
    finish() --! finish is written finish(text)
  end,
}
