package fly

import (
	"testing"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

func TestLogsReachBack(t *testing.T) {
	t.Parallel()
	b := newBench(t).web()
	for range 250 {
		b.sim.Log(b.ids[0], "error", "boom")
	}
	f, decoded := b.prepare("logs", data{"app": "web", "contains": "BOOM", "limit": 1000})
	out, err := f.Call(b.Context(), b.client, decoded)
	if err != nil || len(out.([]any)) != 250 {
		t.Errorf("%d lines, %v", len(out.([]any)), err)
	}
}

func TestManagedPostgres(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.sim.AddCluster("mpg", "ams")
	args := data{"cluster": "mpg"}
	b.front.fail(actThenCut("POST", "/restore"))
	if _, err := b.call("mpg_restore", args); err == nil {
		t.Fatal("the lost answer was not noticed")
	}
	b.reopen()
	b.settle("mpg_restore", args)
	if k := b.must("mpg_restore", args); k["status"] != "ready" || k["name"] != "mpg-0123456789ab" {
		t.Errorf("%v", k)
	}
	if n := b.front.count("POST", "/restore"); n != 1 {
		t.Errorf("%d restores were asked for", n)
	}
	if s := b.settle("mpg_restore", args); s.Landed != binding.Yes {
		t.Errorf("settled %s", s.Landed)
	}
	b.must("mpg_backup_create", data{"cluster": "mpg", "type": "incr"})
	f, decoded := b.prepare("mpg_fork", data{"cluster": "mpg", "name": "copy"})
	if _, err := f.Call(binding.WithKey(t.Context(), "run-7-fork"), b.client, decoded); err != nil {
		t.Error(err)
	}
	_, err := b.call("mpg_get", data{"cluster": "mgp"})
	b.wantFault(err, fault.NotFound, fault.NotDone, `"mpg"`)
}
