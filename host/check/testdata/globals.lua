local hetzner = require "hetzner"
local wanted = "hobby-1"
local function helper() return wanted end
return runbook {
  title = "Globals",
  run = function(input)
    serverr = helper() --! global "serverr" is not declared; use local
    wantd = 1 --! did you mean "wanted"?
    function other() end --! global "other" is not declared; use local
    stepp("Assess", function() end) --! there is no "stepp": neither a local nor a word of a runbook; did you mean "step"?
    local x = wnated --! did you mean "wanted"?
    print(x, inptu, input) --! did you mean "input"?
    http.check { url = "x" } --! http is a module that this file does not require; add: local http = require "http"
    os.execute("rm") --! a runbook has no os: a runbook starts no program
    print(io.read(), _G) --! a runbook has no io --! a runbook has no _G
    step = nil --! "step" belongs to drhost and cannot be assigned
    string.fromat("x") --! there is no string.fromat; did you mean "format"?
    print(table.getn({}), math.flor(1)) --! there is no table.getn: write #t --! did you mean "floor"?
    string.x = 1 --! string cannot be changed
    hetzner.server = nil --! hetzner cannot be changed
    input.server = "x" --! the input cannot be changed
    goto out --! goto is not part of Lua 5.1
    ::out:: --! goto is not part of Lua 5.1
  end,
}
