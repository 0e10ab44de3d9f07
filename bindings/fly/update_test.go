package fly

import (
	"testing"

	"github.com/webhost-systems/drhost/host/binding"
)

// TestARollbackStartsWhatHadDied: Fly leaves a machine stopped that was stopped
// when it was changed, also one whose program had died.
func TestARollbackStartsWhatHadDied(t *testing.T) {
	t.Parallel()
	for _, lost := range []string{"", "/machines/%s", "/machines/%s/start"} {
		b := newBench(t).web()
		if err := b.sim.KillMachine(b.ids[0]); err != nil {
			t.Fatal(err)
		}
		b.must("machine_stop", data{"app": "web", "machine": b.ids[1]}) // on purpose: it stays so
		args := data{"app": "web", "image": imageBad}
		switch lost {
		case "/machines/%s":
			b.front.fail(actThenCut("POST", "/machines/"+b.ids[0]))
		case "/machines/%s/start":
			b.front.fail(cutUnacted("POST", b.ids[0]+"/start"))
		}
		if lost != "" {
			if _, err := b.call("rollback", args); err == nil {
				t.Fatal("the lost answer was not noticed")
			}
			b.reopen()
			if s := b.settle("rollback", args); s.Landed != binding.No {
				t.Errorf("%s: settled %s, and the machine that died does not run", lost, s.Landed)
			}
		}
		b.must("rollback", args)
		b.wantMachines("web", "ams started", "ams stopped")
		for _, id := range b.ids {
			if n := b.front.count("POST", "/machines/"+id); n != 1 {
				t.Errorf("%s: machine %s was updated %d times", lost, id, n)
			}
		}
		if s := b.settle("rollback", args); s.Landed != binding.Yes {
			t.Errorf("%s: settled %s", lost, s.Landed)
		}
		b.free()
	}
}
