package host

import (
	"context"
	"fmt"
	"strings"

	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/sandbox"
)

// ofProgram stands before the name of a runbook that is part of the program. No
// file is called so: a resume goes on with the sealed source.
const ofProgram = "drhost:/"

// RunVerb runs a runbook of the program's own, with the configuration found
// upward from the folder start. It is a run like any other: sealed, journaled,
// held by a halt, asked about and resumed.
func (h *Host) RunVerb(ctx context.Context, start, name string, r Request) (*Result, error) {
	text, ok := h.Verbs[name]
	if !ok {
		return nil, fmt.Errorf("the program has no runbook %s", name)
	}
	p, err := h.open(start)
	if err != nil {
		return nil, err
	}
	r.Runbook = ofProgram + name + ".lua"
	return h.start(ctx, p, sandbox.Source{File: r.Runbook, Text: text}, r)
}

// lastValue is what the last step that finished returned.
func lastValue(records []journal.Record) any {
	for n := len(records) - 1; n >= 0; n-- {
		if records[n].Kind != journal.StepFinished {
			continue
		}
		step, err := journal.Decode[journal.Step](records[n])
		if err != nil || step.Result != "value" {
			return nil
		}
		return untyped(step.Value)
	}
	return nil
}

// untyped is plain data without the names of its types, for people.
func untyped(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, x := range v {
			if !strings.HasPrefix(name, "$") {
				out[name] = untyped(x)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for n, x := range v {
			out[n] = untyped(x)
		}
		return out
	}
	return v
}
