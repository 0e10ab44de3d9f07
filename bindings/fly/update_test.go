package fly

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
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

// TestAMachineThatIsStoppingIsWaitedFor: it was told already, maybe by an
// earlier life of the run.
func TestAMachineThatIsStoppingIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := newBench(t).web()
	args := data{"app": "web", "machine": b.ids[0]}
	b.must("machine_stop", args)
	told := b.front.count("POST", "/stop")
	var looks atomic.Int32
	b.front.fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if r.Method != http.MethodGet || looks.Add(1) > 4 {
			return false
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		_, err := io.WriteString(w, strings.ReplaceAll(answer.Body.String(), `"state":"stopped"`, `"state":"stopping"`))
		return err == nil
	})
	if m := b.must("machine_stop", args); m["state"] != "stopped" {
		t.Errorf("%v", m)
	}
	if n := b.front.count("POST", "/stop") - told; n != 0 || looks.Load() < 4 {
		t.Errorf("it was told to stop %d times more, and looked at %d times", n, looks.Load())
	}
}

// TestARestartOfLostMachinesIsNone: an answer that was lost is no riddle when
// every host is.
func TestARestartOfLostMachinesIsNone(t *testing.T) {
	t.Parallel()
	b := newBench(t).web()
	for _, id := range b.ids {
		if err := b.sim.LoseMachine(id); err != nil {
			t.Fatal(err)
		}
	}
	args := data{"app": "web"}
	if s := b.settle("restart", args); s.Landed != binding.No {
		t.Errorf("settled %s", s.Landed)
	}
	if _, err := b.call("restart", args); fault.KindOf(err) != fault.Conflict || fault.As(err).Sent != fault.NotDone {
		t.Errorf("%v", err)
	}
}
