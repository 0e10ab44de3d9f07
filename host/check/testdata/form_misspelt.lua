return runbok { --! there is no "runbok": neither a local nor a word of a runbook; did you mean "runbook"?
  title = "x",
}
