package gate_test

import (
	"context"
	"testing"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
)

// TestAStormIsWaitedOut: a provider that asks for patience gets more of it than
// one that fails, for reads and for changes; but not for ever.
func TestAStormIsWaitedOut(t *testing.T) {
	for _, c := range []struct {
		kind        fault.Kind
		effect      binding.Effect
		times, made int // how often it is refused, and how often it is made
		done        bool
	}{
		{fault.RateLimited, binding.Reads, 12, 13, true},
		{fault.RateLimited, binding.Mutates, 12, 13, true},
		{fault.RateLimited, binding.Reads, 100, 16, false},
		{fault.RateLimited, binding.Mutates, 100, 16, false},
		{fault.Unavailable, binding.Reads, 12, 6, false},
	} {
		made := 0
		_, err := open(t, gate.Options{}, &tape{}).Do(t.Context(), &gate.Scope{}, gate.Op{Call: "cloud.call", Effect: c.effect, Says: "call",
			Exec: func(context.Context) (any, error) {
				if made++; made <= c.times {
					return nil, fault.New(c.kind, "not now")
				}
				return "done", nil
			}})
		if made != c.made || (err == nil) != c.done {
			t.Errorf("%s, %s refused %d times: made %d times, %v; want %d", c.kind, c.effect, c.times, made, err, c.made)
		}
		if err != nil && fault.KindOf(err) != c.kind {
			t.Errorf("%s: ended with %v", c.kind, err)
		}
	}
}
