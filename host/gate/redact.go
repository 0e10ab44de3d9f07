package gate

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/secret"
)

// Clean returns plain data without any secret that the run knows, in place
// where it can. It is what the journal holds, and so what a script may go on
// with.
func (g *Gate) Clean(v any) any { return g.o.Redactor.Data(v) }

// CleanText returns s without any secret that the run knows.
func (g *Gate) CleanText(s string) string { return g.o.Redactor.Text(s) }

// CleanFault returns a copy of f without any secret, and without the cause,
// which is for programs and may hold anything. A nil fault stays nil.
func (g *Gate) CleanFault(f *fault.Fault) *fault.Fault {
	if f == nil {
		return nil
	}
	clean := *f
	clean.Message, clean.Hint, clean.Op = g.CleanText(f.Message), g.CleanText(f.Hint), g.CleanText(f.Op)
	clean.Cause = nil
	return &clean
}

// cleaned is a payload without secrets: everything in it that is data or prose.
// Keys, paths, titles and sites are left alone. They come from the script's own
// text, and a resume looks things up by them.
func (g *Gate) cleaned(payload any) any {
	switch p := payload.(type) {
	case journal.Started:
		p.Input = g.cleanArgs(p.Input)
		return p
	case journal.Step:
		p.Value, p.Fault, p.Reason = g.Clean(p.Value), g.CleanFault(p.Fault), g.CleanText(p.Reason)
		return p
	case journal.Intent:
		p.Args, p.Says = g.cleanArgs(p.Args), g.CleanText(p.Says)
		return p
	case journal.Outcome:
		p.Args, p.Says, p.Value, p.Fault = g.cleanArgs(p.Args), g.CleanText(p.Says), g.Clean(p.Value), g.CleanFault(p.Fault)
		return p
	case journal.Approval:
		p.BreakGlass = g.CleanText(p.BreakGlass)
		if p.Signed == nil { // what was signed was clean when it was asked, and stays as it is
			p.Text, p.Answer = g.CleanText(p.Text), g.CleanText(p.Answer)
		}
		return p
	case journal.NoteText:
		p.Text = g.CleanText(p.Text)
		p.Evidence, _ = g.Clean(p.Evidence).(map[string]any)
		return p
	case journal.Change:
		p.Diff = g.CleanText(p.Diff)
		return p
	case journal.Injected:
		p.Args = g.cleanArgs(p.Args)
		return p
	case journal.Decision:
		p.Text, p.Choices = g.CleanText(p.Text), g.cleanList(p.Choices)
		return p
	case journal.Deviation:
		p.Says, p.Why = g.CleanText(p.Says), g.CleanText(p.Why)
		return p
	case journal.Finished:
		p.Message, p.Fault = g.CleanText(p.Message), g.CleanFault(p.Fault)
		return p
	case journal.Undoing:
		p.Left, p.Lost = g.cleanList(p.Left), g.cleanList(p.Lost)
		return p
	}
	return g.cleanedWhole(payload)
}

// cleanedWhole is a payload of a kind that cleaned does not know, with every
// text in it redacted.
func (g *Gate) cleanedWhole(payload any) any {
	if !g.o.Redactor.Knows() {
		return payload
	}
	text, err := json.Marshal(payload)
	var plain any
	if err != nil || json.Unmarshal(text, &plain) != nil {
		return payload // the journal will say what is wrong with it
	}
	return g.cleanArg(plain)
}

func (g *Gate) cleanList(list []string) []string {
	clean := slices.Clone(list)
	for i, s := range clean {
		clean[i] = g.CleanText(s)
	}
	return clean
}

// cleanArgs is Clean for arguments, in a copy: a call may hold on to what it was
// given. The names of arguments are not text.
func (g *Gate) cleanArgs(args map[string]any) map[string]any {
	if !g.o.Redactor.Knows() {
		return args
	}
	clean, _ := g.cleanArg(args).(map[string]any)
	return clean
}

func (g *Gate) cleanArg(v any) any {
	switch v := v.(type) {
	case string:
		return g.CleanText(v)
	case map[string]any:
		if v == nil {
			return v
		}
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = g.cleanArg(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = g.cleanArg(x)
		}
		return out
	}
	return v
}

// alike tells whether two arguments are the same but for what was redacted. A
// secret is known from the moment in which it is first needed; what an earlier
// life journaled before that moment, and what this one says after it, differ by
// the mark alone, and are the same call.
func alike(a, b any) bool {
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		return ok && (a == b || fits(a, b) || fits(b, a))
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !alike(a[i], b[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k := range a {
			if x, has := b[k]; !has || !alike(a[k], x) {
				return false
			}
		}
		return true
	}
	return a == b
}

// fits tells whether text is what redacted was made of.
func fits(redacted, text string) bool {
	parts := strings.Split(redacted, secret.Mark)
	if len(parts) == 1 {
		return false
	}
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(text, part)
		if !found {
			return false
		}
		text = after
	}
	return strings.HasSuffix(text, last)
}

// plainArgs are arguments as the journal hands them back, so that numbers
// compare.
func plainArgs(args map[string]any) map[string]any {
	text, err := json.Marshal(args)
	if err != nil {
		return args
	}
	var out map[string]any
	if json.Unmarshal(text, &out) != nil {
		return args
	}
	return out
}
