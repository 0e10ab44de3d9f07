package gate_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/journal/storetest"
)

// TestProgressIsKept: of a call that takes minutes the journal has a line now
// and then, and a resumed run answers from it as before.
func TestProgressIsKept(t *testing.T) {
	log, clock := &tape{}, storetest.NewFixed(time.Unix(1772247900, 0))
	shown, called := 0, 0
	o := gate.Options{Clock: clock, Observe: func(e gate.Event) {
		if e.Progress != nil {
			shown++
		}
	}}
	op := gate.Op{Call: "backup.restore", Effect: binding.Mutates, Says: "restore", Site: journal.Site{File: "a.lua", Line: 3},
		Exec: func(ctx context.Context) (any, error) {
			called++
			for n := range 100 {
				binding.Progress(ctx, "%d %%", n)
				clock.Set(clock.Now().Add(time.Second))
			}
			return "back", nil
		}}
	for range 2 {
		if v, err := open(t, o, log).Do(t.Context(), &gate.Scope{}, op); err != nil || v != "back" {
			t.Fatal(v, err)
		}
	}
	var kept []string
	for _, r := range log.records {
		if r.Kind == journal.Note {
			n, err := journal.Decode[journal.NoteText](r)
			if err != nil {
				t.Fatal(err)
			}
			kept = append(kept, n.Form+" "+n.Text)
		}
	}
	if got := fmt.Sprint(kept); got != "[progress 30 % progress 60 % progress 90 %]" || shown != 100 || called != 1 {
		t.Errorf("%s; %d were shown, %d calls", got, shown, called)
	}
}
