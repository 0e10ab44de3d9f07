package terminal

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
)

// TestRecover: what a person can do about a failed step, and what is asked.
func TestRecover(t *testing.T) {
	for _, c := range []struct {
		name, typed string
		undo        bool
		want        gate.Remedy
		shown       string
	}{
		{"retry", "what?\nretry\n", false, gate.Remedy{Do: "retry"}, "by hand"},
		{"skip", "skip\n\nnot needed\n{\"a\":1}\n", false, gate.Remedy{Do: "skip", Reason: "not needed"}, "why is it skipped?"},
		{"by hand", "by hand\ntyped it in the console\nno json\n\"v\"\n", false, gate.Remedy{Do: "by_hand", Reason: "typed it in the console"}, "that is no JSON"},
		{"edit", "edit\n", false, gate.Remedy{Do: "edit"}, "a resume tries the edited step"},
		{"by its letter", "z\nq\n", false, gate.Remedy{Do: "stop"}, "or its letter"},
		{"raise", "raise\n", false, gate.Remedy{Do: "raise"}, "raise"},
		{"an undo by hand", "raise\nby hand\ndeleted it\n", true, gate.Remedy{Do: "by_hand", Reason: "deleted it"}, `the undo of step "Create" failed`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			p := NewPerson(strings.NewReader(c.typed), &out, "mira")
			step := "Create"
			if c.undo {
				step = journal.UndoRoot + "/" + step
			}
			got, err := p.Recover(context.Background(), gate.Failure{Step: step, Undo: c.undo, Cause: errors.New("it broke")})
			if err != nil || got.Do != c.want.Do || got.Reason != c.want.Reason || got.By != "mira" || !strings.Contains(out.String(), c.shown) {
				t.Errorf("%+v %v\n%s", got, err, out.String())
			}
			if (got.Do == "skip" || got.Do == "by_hand") && !c.undo && len(got.Value) == 0 {
				t.Error("the value was not taken")
			}
		})
	}
}

// TestConsentToUndo: the list of what is undone is read before the answer.
func TestConsentToUndo(t *testing.T) {
	var out bytes.Buffer
	p := NewPerson(strings.NewReader("yes\n"), &out, "mira")
	u := journal.Undoing{Steps: []journal.Undone{{Title: "Move the DNS record"}, {Title: "Create"}}, Left: []string{"reboot hobby-1"}}
	a, err := p.Approve(context.Background(), gate.Question{Text: "Undo 2 steps", Detail: u.List(), Site: journal.Site{File: "x.lua"}})
	want := "\nx.lua asks for approval:\n  Undo 2 steps\n    1. Move the DNS record\n    2. Create\n    left as it is: reboot hobby-1\n"
	if err != nil || a.Text != "approved" || !strings.HasPrefix(out.String(), want) {
		t.Errorf("%+v %v\n%s", a, err, out.String())
	}
}
