package run

import (
	"context"
	"fmt"
	"testing"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
)

// retried has a step, with steps and branches inside, that fails twice after
// they are done; attempts says how often one life tries it.
func retried(p *provider, broken *int, attempts int) func(*life) Body {
	return func(l *life) Body {
		return func(ctx context.Context, sc *gate.Scope) (any, error) {
			read := func(what string, answer func() error) func(context.Context, *gate.Scope) error {
				return func(ctx context.Context, sc *gate.Scope) error {
					_, err := l.g.Do(ctx, sc, gate.Op{Call: "test." + what, Effect: binding.Reads, Exec: func(context.Context) (any, error) { return "x", answer() }})
					return err
				}
			}
			fine := read("fine", func() error { return nil })
			fragile := read("fragile", func() error {
				if *broken--; *broken >= 0 {
					return fault.New(fault.Failed, "broken")
				}
				return nil
			})
			return l.e.Step(ctx, sc, Spec{Title: "Outer", Attempts: attempts}, func(ctx context.Context, sc *gate.Scope) (any, error) {
				for _, part := range []func(context.Context, *gate.Scope) error{
					fine, l.step(p, "inner", fine, l.fan(p, "Fan", "x", "y"), fine), l.fan(p, "Fan", "u", "v"), fragile,
				} {
					if err := part(ctx, sc); err != nil {
						return nil, err
					}
				}
				return l.g.Do(ctx, sc, p.op("last", 0))
			})
		}
	}
}

// TestDeathWhileRetrying kills a run in and between the attempts of a step, at
// every record: what an attempt did is done once, and an undo knows all of it.
func TestDeathWhileRetrying(t *testing.T) {
	for _, attempts := range []int{1, 3} {
		for death := 1; death < 75; death++ {
			name := fmt.Sprintf("attempts %d, death %d", attempts, death)
			p, log, broken := &provider{landed: map[string]string{}}, &memory{left: death}, 2
			script := retried(p, &broken, attempts)
			var end journal.Finished
			for lives := 0; lives < 60 && end.Result != "done"; lives++ {
				end = (&life{}).run(t, log, nobody{}, script)
				log.left = death/2 + lives
			}
			if end.Result != "done" {
				t.Fatalf("%s: %+v", name, end)
			}
			if len(p.log) != 10 || len(p.twice) > 0 {
				t.Fatalf("%s: %d mutations, twice %v: %v", name, len(p.log), p.twice, p.log)
			}
			log.left = -1
			end, u, err := undo(t, log, &willing{}, script)
			if err != nil || end.Result != "done" || len(u.Steps) != 9 || len(u.Lost) > 0 || len(u.Left) != 1 {
				t.Fatalf("%s: %+v %v %+v", name, end, err, u)
			}
		}
	}
}
