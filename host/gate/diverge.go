package gate

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/journal"
)

// putBack ends what is said of a script that does not fit its journal.
const putBack = "put it back as it was (the run keeps its scripts in its folder, under source), then resume; or start a new run"

// Begin waits until a step that the journal does not know may begin: when the
// journal has nothing more to tell. Nothing may have been left behind without
// an outcome in what the step lies in. A branch does not look at its siblings.
func (g *Gate) Begin(ctx context.Context, path, form, title string, site journal.Site) error {
	what := func() string { return fmt.Sprintf("the new %s %q at %s", form, title, site) }
	if err := g.turn.awaitLive(ctx, what); err != nil {
		return Stopped(ctx, err)
	}
	if form == "branch" {
		return nil
	}
	around := ""
	if at := strings.LastIndexByte(path, '/'); at > 0 {
		around = path[:at]
	}
	return g.unsettled(around, path, what)
}

// unsettled returns a divergence when a mutation inside path has left without
// an answer, and the script has come past it to another key.
func (g *Gate) unsettled(path, key string, what func() string) error {
	for _, sent := range g.left(path) {
		if sent.Key != key && !under(sent.Key, key) {
			return &Stop{Why: Diverged, Text: fmt.Sprintf("%s: the journal says that %q was sent from here and its outcome is unknown, but the script comes to %s instead; %s",
				sent.Site, sent.Says, what(), putBack)}
		}
	}
	return nil
}

// left are the mutations inside path that have no outcome.
func (g *Gate) left(path string) []journal.Intent {
	if len(g.pending) == 0 {
		return nil
	}
	var out []journal.Intent
	for key, in := range g.pending {
		if under(key, path) {
			out = append(out, in)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Key < out[j].Key })
	return out
}

// Orphan returns a divergence when the journal holds calls or unsettled
// mutations inside path that the script did not make.
func (g *Gate) Orphan(path string) error {
	for _, in := range g.left(path) {
		return &Stop{Why: Diverged, Text: fmt.Sprintf("%s: the journal says that %q was sent from here and its outcome is unknown, but the script no longer makes this call; "+
			"restore the line, or settle it by hand", in.Site, in.Says)}
	}
	for key, out := range g.cursor.outcomes {
		if under(key, path) {
			return &Stop{Why: Diverged, Text: fmt.Sprintf("the script changed inside a step that was under way: the journal holds %s, a call that the script no longer makes; %s",
				madeAt(out), putBack)}
		}
	}
	return nil
}

// stuck is what a replay ends in when nobody comes to the next recorded event.
func (g *Gate) stuck(next string, parked []string) error {
	var at []string
	for _, p := range parked {
		at = append(at, g.recorded(p))
	}
	comes := "never comes to it"
	if len(at) > 0 {
		comes = "comes to " + strings.Join(at, " and ") + " instead"
	}
	if out, ok := g.cursor.outcomes[next]; ok {
		return &Stop{Why: Diverged, Text: fmt.Sprintf("the script changed in front of or inside a step that was under way: the journal holds %s, and the script now %s; %s", madeAt(out), comes, putBack)}
	}
	return &Stop{Why: Diverged, Text: fmt.Sprintf("the script changed: the journal comes to %s here, and the script now %s; was it renamed, moved or removed? %s",
		g.recorded(next), comes, strings.ToUpper(putBack[:1])+putBack[1:])}
}

// recorded says what a recorded event is; what is none says so itself.
func (g *Gate) recorded(event string) string {
	key := eventKey(event)
	if out, ok := g.cursor.outcomes[event]; ok {
		return madeAt(out)
	}
	if s, ok := g.cursor.steps[key]; ok && event == stepEvent+key {
		return fmt.Sprintf("the finished %s %q (%s)", s.Form, s.Title, s.Site)
	}
	if event == startEvent+key {
		return fmt.Sprintf("branch %q", titleOf(key))
	}
	return key
}

func madeAt(out journal.Outcome) string {
	text := fmt.Sprintf("the outcome of %s made at %s", describeCall(out.Call, out.Args), out.Site)
	if out.Site.Step != "" {
		text += fmt.Sprintf(" in step %q", titleOf(out.Site.Step))
	}
	return text
}

func diverged(key, call string, args map[string]any, site journal.Site, op Op) error {
	return &Stop{Why: Diverged, Err: fault.New(fault.Diverged, "call %s differs from the journal", key),
		Text: fmt.Sprintf("the script changed inside a step that was under way: the journal holds %s made at %s, the script now makes %s; put the first back as it was, or start a new run",
			describeCall(call, args), site, describeOp(op))}
}

// describeOp is a call with its place, for messages.
func describeOp(op Op) string { return describeCall(op.Call, op.Args) + " at " + op.Site.String() }

func describeCall(call string, args map[string]any) string {
	if question, ok := args["text"].(string); ok && call == ApproveCall {
		return fmt.Sprintf("the approval of %q", question)
	}
	text, err := json.Marshal(args)
	if err != nil || len(args) == 0 {
		return call
	}
	if len(text) > 160 {
		text = append(text[:157], "..."...)
	}
	return call + string(text)
}
