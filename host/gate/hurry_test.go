package gate_test

import (
	"context"
	"testing"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
)

// TestInAHurry: who waits for one call at a terminal is not kept for minutes.
func TestInAHurry(t *testing.T) {
	for _, try := range []struct {
		kind         fault.Kind
		hurry, reads bool
		want         int
	}{
		{fault.Unavailable, false, false, 8}, {fault.Unavailable, true, false, 3}, {fault.Unavailable, false, true, 6}, {fault.Unavailable, true, true, 3},
		{fault.Timeout, false, false, 8}, {fault.Timeout, true, false, 1}, {fault.Timeout, true, true, 1}, {fault.NotFound, true, false, 1},
	} {
		g, sent := open(t, gate.Options{Hurry: try.hurry}, &tape{}), 0
		op := gate.Op{Call: "cloud.reboot", Effect: binding.Mutates, Says: "reboot", Exec: func(context.Context) (any, error) {
			sent++
			return nil, fault.New(try.kind, "not now").NothingDone()
		}}
		if try.reads {
			op.Effect = binding.Reads
		}
		if _, err := g.Do(t.Context(), &gate.Scope{}, op); fault.KindOf(err) != try.kind || sent != try.want {
			t.Errorf("%+v: tried %d times: %v", try, sent, err)
		}
	}
}
