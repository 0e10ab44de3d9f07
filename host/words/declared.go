package words

// All are the words of a script, in the order in which one learns them.
func All() []Word {
	return append(append(structure(), people()...), evidence()...)
}

// structure are the words that shape a runbook.
func structure() []Word {
	title := Param{Name: "title", Kind: Title, Doc: "What it does, as the report prints it: literal, and unique among its neighbours."}
	return []Word{
		{Name: "runbook", AtLoad: true, Doc: "Declares a runbook. A runbook file ends in `return runbook { ... }`.",
			Params: []Param{{Name: "head", Kind: Head, Doc: "Its title, its input and its run function."}}, Type: "drhost.Runbook",
			Example: "return runbook {\n  title = \"Hetzner server failure\",\n  run = function(input)\n    return finish(\"nothing to do\")\n  end,\n}"},
		{Name: "drill", AtLoad: true, Doc: "Declares a drill: a runbook carried out against a simulated world, with faults and expectations. A drill file ends in `return drill { ... }`.",
			Params: []Param{{Name: "head", Kind: Head, Doc: "Its runbook, its world, the fault and what is expected."}}, Type: "drhost.Drill",
			Example: "return drill {\n  title = \"A reboot is enough\",\n  runbook = \"../hetzner_failure.lua\",\n  world = \"../worlds/webhost.toml\",\n  fault = function(world) world:hang_server(\"hobby-1\") end,\n  expect = function(world, run) expect(\"the run is done\", run.result == \"done\") end,\n}"},
		{Name: "require", AtLoad: true, Doc: "Gives a provider module or one of the shared `std.` modules. These lines stand at the top of the file: they are the list of what the file may touch.",
			Params: []Param{{Name: "name", Kind: Text, Doc: "Literal name of the module."}}, Returns: "the module", Type: "any",
			Example: "local hetzner = require \"hetzner\""},
		{Name: "step", Doc: "A titled part of the runbook: the unit that is timed, retried, skipped and resumed. It returns what its function returns, which must be plain data: a resumed run hands back the recorded value instead of running the step again.",
			Params: []Param{title, {Name: "options", Kind: Options, Optional: true}, {Name: "fn", Kind: Function, Doc: "The body. It must not assign locals from outside: return the value instead."}},
			Options: []Field{
				{Name: "timeout", Kind: Duration, Doc: "How long the step may take."},
				{Name: "attempts", Kind: Count, Doc: "How often it is tried before it counts as failed; 1 unless set."},
				{Name: "optional", Kind: Flag, Doc: "A failure is recorded, and the run goes on with nil."},
				{Name: "owner", Kind: Text, Doc: "Who is responsible for it, for the report."},
				{Name: "undo", Kind: Function, Doc: "What takes the step back: called with the step's value by `drhost undo`, which undoes the steps that finished, the last first. It is a step of its own: journaled, resumed, and never run twice."},
			}, Returns: "what fn returned", Type: "any",
			Example: "local state = step(\"Assess the server\", { timeout = \"2m\" }, function()\n  return { healthy = false }\nend)"},
		{Name: "parallel", Doc: "Runs named branches at the same time and waits for all of them. The first failure cancels the others, unless keep_going is set.",
			Params:  []Param{title, {Name: "branches", Kind: Branches, Doc: "Functions by name."}, {Name: "options", Kind: Options, Optional: true}},
			Options: []Field{{Name: "keep_going", Kind: Flag, Doc: "A failure does not cancel the other branches."}, {Name: "at_once", Kind: Count, Doc: "How many run at the same time; all unless set."}},
			Returns: "the branches' values by name, and with keep_going the faults by name as a second value", Type: "table<string, any>, table<string, drhost.Fault>",
			Example: "local found = parallel(\"Look around\", {\n  server = function() return \"hobby-1\" end,\n  backup = function() return \"20260228\" end,\n})\nnote(found.server .. \" and \" .. found.backup)"},
		{Name: "each", Doc: "Runs a function for every item of a list at the same time, as a branch named for the item.",
			Params: []Param{title, {Name: "list", Kind: Items, Doc: "What to go through."}, {Name: "options", Kind: Options, Optional: true}, {Name: "fn", Kind: Function, Doc: "Called with the item."}},
			Options: []Field{{Name: "key", Kind: Text, Doc: "The field of an item that names its branch; \"name\" unless set."},
				{Name: "at_once", Kind: Count, Doc: "How many run at the same time; all unless set."}, {Name: "keep_going", Kind: Flag, Doc: "A failure does not cancel the other branches."}},
			Returns: "the items' values by name, and with keep_going the faults by name as a second value", Type: "table<string, any>, table<string, drhost.Fault>",
			Example: "each(\"Greet the servers\", { \"hobby-1\", \"hobby-2\" }, { at_once = 2 }, function(name)\n  note(\"hello \" .. name)\nend)"},
		{Name: "eventually", Doc: "Calls a function until it returns true, or until the time is over. Faults that may pass count as \"not yet\". Its result must be looked at: a time that ran out raises nothing. After a change a plan follows both results.",
			Params:  []Param{{Name: "within", Kind: Duration, Doc: "For how long to try."}, {Name: "options", Kind: Options, Optional: true}, {Name: "fn", Kind: Function, Doc: "Returns true when it has come to pass. It holds no step."}},
			Options: []Field{{Name: "every", Kind: Duration, Doc: "Pause between two tries; 5s unless set."}}, Returns: "whether it came to pass", Type: "boolean",
			Example: "expect(\"the site answers\", eventually(\"5m\", { every = \"10s\" }, function() return true end))"},
		{Name: "retry", Doc: "Calls a function again when it fails, each time after twice the pause. The last failure is raised.",
			Params:  []Param{{Name: "options", Kind: Options, Optional: true}, {Name: "fn", Kind: Function, Doc: "What to try. It holds no step."}},
			Options: []Field{{Name: "attempts", Kind: Count, Doc: "How often in all; 3 unless set."}, {Name: "backoff", Kind: Duration, Doc: "The first pause; 2s unless set."}}, Returns: "what fn returned", Type: "any",
			Example: "local answer = retry({ attempts = 5, backoff = \"1s\" }, function() return \"found\" end)\nnote(answer)"},
	}
}

// people are the words that turn to a person.
func people() []Word {
	return []Word{
		{Name: "approve", Doc: "Waits until a person consents. A refusal, or no answer in time, stops the run; no pcall goes past it. Where drhost.toml names [[approvers]], the answers have to be signed: `drhost approve RUN`.",
			Params: []Param{{Name: "text", Kind: Text, Doc: "What is to be approved."}, {Name: "options", Kind: Options, Optional: true}},
			Options: []Field{{Name: "needs", Kind: Count, Doc: "How many different people; 1 unless set. More than one need [[approvers]] in drhost.toml."},
				{Name: "within", Kind: Duration, Doc: "How long to wait for them, also in a simulated world that runs faster than life; without it, as long as somebody is at the run."}}, Returns: "true", Type: "boolean",
			Example: "approve(\"Give up hobby-1 and build a replacement\", { needs = 2, within = \"10m\" })"},
		{Name: "ask", Doc: "Asks a person and returns the answer. A plan follows each of the choices.",
			Params:  []Param{{Name: "text", Kind: Text, Doc: "The question."}, {Name: "options", Kind: Options, Optional: true}},
			Options: []Field{{Name: "choices", Kind: Texts, Doc: "The answers there are."}}, Returns: "the answer", Type: "string",
			Example: "local region = ask(\"Which region?\", { choices = { \"fsn1\", \"nbg1\" } })\nnote(region)"},
	}
}

// evidence are the words that leave something in the journal or the report.
func evidence() []Word {
	text := func(doc string) Param { return Param{Name: "text", Kind: Text, Doc: doc} }
	return []Word{
		{Name: "expect", Doc: "Raises a fault when the condition is nil or false; records it either way. After a change a plan follows both.",
			Params: []Param{text("What is expected, as the report prints it."), {Name: "condition", Kind: Condition, Doc: "Whether it holds."}}, Returns: "the condition", Type: "any",
			Example: "expect(\"there are customers\", 200 > 0)"},
		{Name: "finish", Doc: "Says how the run ended. `return finish(...)` ends the runbook.",
			Params: []Param{text("A closing sentence for the report.")}, Returns: "true", Type: "boolean", Example: "return finish(\"The hobby tier serves again\")"},
		{Name: "note", Doc: "Writes a sentence into the journal, with evidence where there is some. Evidence `rpo_until` is the moment up to which data came back: the report measures the RPO by it.",
			Params:  []Param{text("What is to be remembered."), {Name: "evidence", Kind: Table, Optional: true, Doc: "Plain data by name."}},
			Example: "note(\"The newest row is of three o'clock\", { rpo_until = \"2026-02-28T03:00:00Z\" })"},
		{Name: "print", Doc: "Writes its arguments into the journal, for debugging.", Params: []Param{{Name: "...", Kind: Any, Optional: true}}, Example: "print(\"so far\", 3)"},
		{Name: "secret", AtLoad: true, Doc: "A handle for a credential. Its value is looked up when a call needs it; no script sees it.",
			Params: []Param{{Name: "reference", Kind: Text, Doc: "Where it is kept: env:NAME, file:PATH or cmd:COMMAND."}}, Returns: "the handle", Type: "drhost.Secret",
			Example: "local token = secret(\"env:PAGER_TOKEN\")\nnote(\"the token is \" .. tostring(token))"},
	}
}
