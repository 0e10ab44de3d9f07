package words

// Severities a runbook may have, the worst first.
func Severities() []string { return []string{"critical", "high", "medium", "low"} }

// RunbookHead are the fields of runbook { ... }.
func RunbookHead() []Field {
	return []Field{
		{Name: "title", Kind: Text, Required: true, Doc: "What the runbook recovers from."},
		{Name: "severity", Kind: Text, Choices: Severities(), Doc: "How bad it is."},
		{Name: "impact", Kind: Text, Doc: "What it means to customers."},
		{Name: "description", Kind: Text, Doc: "More about it, for `drhost list`."},
		{Name: "tags", Kind: Texts, Doc: "Words to select runbooks by."},
		{Name: "objective", Kind: Table, Fields: objective(), Doc: "What the recovery is held against."},
		{Name: "input", Kind: Table, Each: []Field{
			{Name: "doc", Kind: Text, Doc: "What it is; shown when it is asked for."},
			{Name: "example", Kind: Any, Doc: "What it looks like."},
			{Name: "default", Kind: Any, Doc: "What it is unless given."},
			{Name: "choices", Kind: Items, Doc: "The values there are."},
			{Name: "optional", Kind: Flag, Doc: "It may be missing, and is nil then."},
			{Name: "type", Kind: Text, Doc: "What kind of value it is."},
		}, Doc: "What the runbook is given, by name: `--input server=hobby-1`."},
		{Name: "comms", Kind: Text, Doc: "The communication plan it follows."},
		{Name: "run", Kind: Function, Required: true, Doc: "The runbook itself: function(input)."},
	}
}

// DrillHead are the fields of drill { ... }.
func DrillHead() []Field {
	return []Field{
		{Name: "title", Kind: Text, Required: true, Doc: "What the drill shows."},
		{Name: "runbook", Kind: Text, Required: true, Doc: "Path of the runbook, from the drill's file."},
		{Name: "world", Kind: Text, Required: true, Doc: "Path of the simulated world, from the drill's file."},
		{Name: "every", Kind: Text, Doc: "How often it is due: monthly, quarterly."},
		{Name: "speed", Kind: Number, Doc: "By how much the waits for providers are shortened; 1 unless set."},
		{Name: "input", Kind: Table, Doc: "The runbook's input, by name."},
		{Name: "setup", Kind: Function, Doc: "What happens before the disaster: function(world)."},
		{Name: "fault", Kind: Function, Doc: "The disaster: function(world)."},
		{Name: "operator", Kind: Table, Doc: "The answers to the runbook's questions, by their text."},
		{Name: "expect", Kind: Function, Doc: "What must be true afterwards: function(world, run)."},
		{Name: "ends", Kind: Text, Choices: []string{"done", "failed", "stopped"}, Doc: "How the run has to end; done unless set. A runbook that cannot recover has to say so."},
		{Name: "objective", Kind: Table, Fields: objective(), Doc: "What the recovery is held against."},
	}
}

func objective() []Field {
	return []Field{
		{Name: "rto", Kind: Duration, Doc: "How long the recovery may take."},
		{Name: "rpo", Kind: Duration, Doc: "How much data may be lost, as time."},
	}
}

// Run is the object `run` of a runbook: what a script may know of its run.
func Run() []Member {
	return []Member{
		{Name: "id", Type: "string", Doc: "The run's id."},
		{Name: "mode", Type: "string", Doc: "run, plan or drill."},
		{Name: "drill", Type: "boolean", Doc: "Whether this is a drill."},
		{Name: "elapsed", Method: true, Type: "number", Doc: "Seconds since the disaster was detected."},
		{Name: "remaining", Method: true, Type: "number?", Doc: "Seconds left until the RTO: negative when it is missed, nil without one."},
		{Name: "result", Method: true, Type: "any", Params: []Param{{Name: "title", Kind: Title, Doc: "Title of a step that has finished."}}, Doc: "The value of a finished step."},
	}
}

// Outcome is the second argument of a drill's expect: how the run went.
func Outcome() []Member {
	return []Member{
		{Name: "id", Type: "string", Doc: "The run's id."},
		{Name: "result", Type: "string", Doc: "done, failed, or how else it ended."},
		{Name: "message", Type: "string", Doc: "The closing sentence, or what went wrong."},
		{Name: "rto", Type: "number", Doc: "Seconds to recovery, with shortened waits added back."},
		{Name: "wall", Type: "number", Doc: "Seconds the drill really took."},
		{Name: "rpo", Type: "number", Doc: "Seconds of data that were lost."},
		{Name: "rpo_measured", Type: "boolean", Doc: "Whether the runbook noted up to when data came back."},
		{Name: "mutations", Type: "number", Doc: "How many calls changed something."},
	}
}

// Fault is what a failed call raises, and what keep_going collects.
func Fault() []Member {
	return []Member{
		{Name: "kind", Type: "string", Doc: "not_found, denied, timeout, ...: see the functions' pages."},
		{Name: "message", Type: "string", Doc: "What went wrong, in a sentence."},
		{Name: "hint", Type: "string?", Doc: "What to do next."},
		{Name: "call", Type: "string?", Doc: "The function that failed: hetzner.reboot."},
		{Name: "provider", Type: "string?", Doc: "Its module."},
		{Name: "file", Type: "string?", Doc: "Where it was called."},
		{Name: "line", Type: "number?", Doc: "Where it was called."},
		{Name: "transient", Type: "boolean", Doc: "Whether the same call may succeed a little later."},
	}
}
