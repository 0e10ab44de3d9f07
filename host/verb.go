package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/journal/filestore"
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

// LookVerb is RunVerb for a verb that only reads, such as one that a monitor asks
// each minute: the gate, the halt and the environment's guard are those of any
// run, but the journal lies in a folder of its own, open to nobody else, that is
// gone at the end. There is nothing to resume, and what was read stays nowhere.
func (h *Host) LookVerb(ctx context.Context, start, name string, r Request) (result *Result, err error) {
	folder, err := os.MkdirTemp("", "drhost-look-")
	if err != nil {
		return nil, journalError(fmt.Errorf("make a folder for the journal: %w", err))
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	text, ok := h.Verbs[name]
	if !ok {
		return nil, fmt.Errorf("the program has no runbook %s", name)
	}
	p, err := h.open(start)
	if err != nil {
		return nil, err
	}
	p.store = h.Seams.store(filestore.New(folder, h.Clock))
	r.Runbook = ofProgram + name + ".lua"
	result, err = h.start(ctx, p, sandbox.Source{File: r.Runbook, Text: text}, r)
	if result != nil {
		result.Folder = ""
	}
	return result, err
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
