return drill {
  title = "A drill", runbook = "../x.lua", world = "../worlds/x.toml",
  expect = function(_, run)
    expect("it is done", run.resutl == "done") --! run has no field "resutl"; did you mean "result"?
  end,
}
