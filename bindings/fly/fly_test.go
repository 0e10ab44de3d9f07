package fly

import (
	"slices"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

func TestStatusSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	b := newBench(t).web()
	if s := b.must("status", data{"app": "web"}); s["healthy"] != true || s["serving"] != 2.0 || len(texts(s["problems"])) != 0 {
		t.Errorf("%v", s)
	}
	if err := b.sim.KillMachine(b.ids[0]); err != nil {
		t.Fatal(err)
	}
	if err := b.sim.LoseMachine(b.ids[1]); err != nil {
		t.Fatal(err)
	}
	s := b.must("status", data{"app": "web"})
	text := strings.Join(texts(s["problems"]), "\n")
	if s["healthy"] != false || !strings.Contains(text, "exit code 137, killed for lack of memory") || !strings.Contains(text, "move_region") {
		t.Errorf("%v", s)
	}
	_, err := b.call("status", data{"app": "wep"})
	b.wantFault(err, fault.NotFound, fault.NotDone, `did you mean "web"?`)
	_, err = b.call("machine", data{"app": "web", "machine": "nobody"})
	b.wantFault(err, fault.NotFound, fault.NotDone, "fly.machines")
}

func TestARestartGoesOneByOneAndOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t).web()
	args := data{"app": "web"}
	if len(b.predict("restart", args)["machines"].([]any)) != 2 {
		t.Error("the prediction knows other machines")
	}
	if s := b.settle("restart", args); s.Landed != binding.No {
		t.Errorf("settled %s before it was sent", s.Landed)
	}
	b.reopen()
	// The process dies after the first machine was told and before it knows.
	b.front.fail(actThenCut("POST", b.ids[0]+"/restart"))
	if _, err := b.call("restart", args); fault.As(err).Sent != fault.Unclear {
		t.Fatalf("%v", err)
	}
	b.free()
	b.reopen()
	if s := b.settle("restart", args); s.Landed != binding.No {
		t.Errorf("settled %s with one of two restarted", s.Landed)
	}
	if out := b.must("restart", args); len(out["machines"].([]any)) != 2 {
		t.Errorf("%v", out)
	}
	for _, id := range b.ids {
		if n := b.front.count("POST", id+"/restart"); n != 1 {
			t.Errorf("%s was restarted %d times", id, n)
		}
	}
	b.reopen()
	if s := b.settle("restart", args); s.Landed != binding.Yes {
		t.Errorf("settled %s when all was done", s.Landed)
	}
	b.free()
}

func TestARestartBringsDeadProgramsBack(t *testing.T) {
	t.Parallel()
	b := newBench(t).web()
	if err := b.sim.KillMachine(b.ids[0]); err != nil {
		t.Fatal(err)
	}
	b.must("machine_stop", data{"app": "web", "machine": b.ids[1]})
	out := b.must("restart", data{"app": "web"})
	if got := texts(out["skipped"]); !slices.Equal(got, b.ids[1:]) {
		t.Errorf("skipped %v", got)
	}
	b.wantMachines("web", "ams started", "ams stopped")
	_, err := b.call("machine_restart", data{"app": "web", "machine": b.ids[1]})
	b.wantFault(err, fault.Conflict, fault.NotDone, "machine_start")
	b.must("machine_start", data{"app": "web", "machine": b.ids[1]})
	b.must("machine_cordon", data{"app": "web", "machine": b.ids[1]})
	b.wantMachines("web", "ams started", "ams started cordoned")
	b.must("machine_uncordon", data{"app": "web", "machine": b.ids[1]})
	_, err = b.call("machine_destroy", data{"app": "web", "machine": b.ids[1]})
	b.wantFault(err, fault.Conflict, fault.NotDone, "force = true")
	b.must("machine_destroy", data{"app": "web", "machine": b.ids[1], "force": true})
	b.wantMachines("web", "ams started")
	if s := b.settle("machine_destroy", data{"app": "web", "machine": b.ids[1], "force": true}); s.Landed != binding.Yes {
		t.Errorf("settled %s", s.Landed)
	}
	b.free()
}

func TestSecretsReachEveryMachineAndAWrongOneStopsAtTheFirst(t *testing.T) {
	t.Parallel()
	b := newBench(t).web()
	args := data{"app": "web", "values": data{"DATABASE_URL": "postgres://app:{pw}@new"}, "fill": data{"pw": "env:PW"}}
	b.front.fail(actThenCut("POST", "/machines/"+b.ids[0]))
	if _, err := b.call("secrets_set", args); err == nil {
		t.Fatal("the lost answer was not noticed")
	}
	b.front.fail(nil)
	b.reopen()
	if s := b.settle("secrets_set", args); s.Landed != binding.No {
		t.Errorf("settled %s half-way", s.Landed)
	}
	b.must("secrets_set", args)
	if n := b.front.count("POST", "/secrets"); n != 1 {
		t.Errorf("the values were sent %d times", n)
	}
	for _, id := range b.ids {
		if p, _ := b.metal.Running(id); p.Env["DATABASE_URL"] != "postgres://app:value of env:PW@new" {
			t.Errorf("machine %s has %q", id, p.Env["DATABASE_URL"])
		}
		if n := b.front.count("POST", "/machines/"+id); n != 1 {
			t.Errorf("machine %s was updated %d times", id, n)
		}
	}
	if s := b.settle("secrets_set", args); s.Landed != binding.Yes {
		t.Errorf("settled %s at the end", s.Landed)
	}
	b.metal.mu.Lock()
	b.metal.crash["postgres://wrong"] = true
	b.metal.mu.Unlock()
	f, decoded := b.prepare("secrets_set", data{"app": "web", "values": data{"DATABASE_URL": "postgres://wrong"}})
	_, err := f.Call(binding.WithKey(b.Context(), "run-7-another"), b.client, decoded)
	b.wantFault(err, fault.Failed, fault.Done, "DATABASE_URL")
	if p, _ := b.metal.Running(b.ids[1]); !strings.HasSuffix(p.Env["DATABASE_URL"], "@new") {
		t.Errorf("the second machine has %q", p.Env["DATABASE_URL"])
	}
	b.free()
}

// TestSecretsAreSentOnce: also when a run dies after they were set and before
// any machine has them, and also when they were set by somebody a moment before.
func TestSecretsAreSentOnce(t *testing.T) {
	t.Parallel()
	for _, acted := range []bool{true, false} {
		b := newBench(t).web()
		b.must("secrets_set", data{"app": "web", "values": data{"DATABASE_URL": "postgres://other"}, "stage": true}) // by another call
		b.key = "run-7-fedcba9876543210"
		broken := cutUnacted("POST", "/secrets")
		if acted {
			broken = actThenCut("POST", "/secrets")
		}
		b.front.fail(broken)
		args := data{"app": "web", "values": data{"DATABASE_URL": "postgres://new"}}
		if _, err := b.call("secrets_set", args); err == nil {
			t.Fatal("the lost answer was not noticed")
		}
		b.front.fail(nil)
		b.reopen()
		if s := b.settle("secrets_set", args); s.Landed != binding.No {
			t.Errorf("settled %s half-way", s.Landed)
		}
		was := b.front.count("POST", "/secrets")
		b.must("secrets_set", args)
		if n, want := b.front.count("POST", "/secrets")-was, btoi(!acted); n != want {
			t.Errorf("set before %t: the values were sent %d times more, want %d", acted, n, want)
		}
		for _, id := range b.ids {
			if p, _ := b.metal.Running(id); p.Env["DATABASE_URL"] != "postgres://new" {
				t.Errorf("machine %s has %q", id, p.Env["DATABASE_URL"])
			}
		}
		b.free()
	}
}

func TestStagedSecretsLeaveTheMachines(t *testing.T) {
	t.Parallel()
	b := newBench(t).web()
	args := data{"app": "web", "secrets": data{"KEY": "env:KEY"}, "stage": true}
	if s := b.settle("secrets_set", args); s.Landed != binding.No {
		t.Errorf("settled %s before", s.Landed)
	}
	b.must("secrets_set", args)
	if s := b.settle("secrets_set", args); s.Landed != binding.Yes {
		t.Errorf("settled %s after", s.Landed)
	}
	if n := b.front.count("POST", "/machines/"+b.ids[0]); n != 0 {
		t.Errorf("%d updates", n)
	}
}

func TestRollbackGoesToTheReleaseBefore(t *testing.T) {
	t.Parallel()
	b := newBench(t).web()
	b.metal.mu.Lock()
	b.metal.crash[imageBad] = true
	b.metal.mu.Unlock()
	if err := b.sim.Deploy(t.Context(), "web", imageBad); err != nil {
		t.Fatal(err)
	}
	if p := b.predict("rollback", data{"app": "web"}); p["image"] != imageGood || p["from"] != imageBad {
		t.Errorf("predicted %v", p)
	}
	if out := b.must("rollback", data{"app": "web"}); out["image"] != imageGood || len(out["machines"].([]any)) != 2 {
		t.Errorf("%v", out)
	}
	b.wantMachines("web", "ams started", "ams started")
	if s := b.settle("rollback", data{"app": "web"}); s.Landed != binding.Yes {
		t.Errorf("settled %s", s.Landed)
	}
	b.reopen()
	b.must("rollback", data{"app": "web"}) // a repeat does not go further back
	for _, id := range b.ids {
		if n := b.front.count("POST", "/machines/"+id); n != 1 {
			t.Errorf("machine %s was updated %d times", id, n)
		}
	}
	_, err := b.call("rollback", data{"app": "web", "release": 77})
	if err != nil { // the key says it is done; only another call can ask for another release
		t.Error(err)
	}
	f, decoded := b.prepare("rollback", data{"app": "web", "release": 77})
	_, err = f.Call(binding.WithKey(b.Context(), "run-7-another"), b.client, decoded)
	b.wantFault(err, fault.NotFound, fault.NotDone, "fly.releases")
	b.free()
}

func TestAMoveGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	b := newBench(t).web()
	args := data{"app": "web", "to": "fra"}
	b.front.fail(actThenCut("POST", "/machines"))
	if _, err := b.call("move_region", args); fault.As(err).Sent != fault.Unclear {
		t.Fatalf("%v", err)
	}
	b.front.fail(nil)
	b.reopen()
	if s := b.settle("move_region", args); s.Landed != binding.No {
		t.Errorf("settled %s half-way", s.Landed)
	}
	out := b.must("move_region", args)
	if len(out["made"].([]any)) != 2 || len(texts(out["stopped"])) != 2 {
		t.Errorf("%v", out)
	}
	b.wantMachines("web", "ams stopped cordoned", "ams stopped cordoned", "fra started", "fra started")
	b.reopen()
	if s := b.settle("move_region", args); s.Landed != binding.Yes {
		t.Errorf("settled %s at the end", s.Landed)
	}
	if n := b.front.count("POST", "/apps/web/machines"); n != 2 {
		t.Errorf("%d machines were asked for", n)
	}
	b.free()
}

func TestAMoveOutOfADeadRegion(t *testing.T) {
	t.Parallel()
	b := newBench(t).web()
	b.sim.SetDown("ams", true)
	if p := b.predict("move_region", data{"app": "web", "to": "fra"}); len(texts(p["left"])) != 2 {
		t.Errorf("predicted %v", p)
	}
	b.sim.SetFull("fra", true)
	_, err := b.call("move_region", data{"app": "web", "to": "fra"})
	b.wantFault(err, fault.Exhausted, fault.NotDone, "region fra has no room")
	out := b.must("move_region", data{"app": "web", "to": "lhr"})
	if len(texts(out["left"])) != 2 || len(out["made"].([]any)) != 2 {
		t.Errorf("%v", out)
	}
	made := out["made"].([]any)[0].(data)
	if made["image"] != imageGood || made["healthy"] != true {
		t.Errorf("%v", made)
	}
	_, err = b.call("machine_restart", data{"app": "web", "machine": b.ids[0]})
	b.wantFault(err, fault.Conflict, fault.NotDone, "substitute")
}

func TestScaling(t *testing.T) {
	t.Parallel()
	b := newBench(t).web()
	args := data{"app": "web", "count": 4}
	b.front.fail(actThenCut("POST", "/machines"))
	if _, err := b.call("scale_count", args); err == nil {
		t.Fatal("the lost answer was not noticed")
	}
	b.reopen()
	if s := b.settle("scale_count", args); s.Landed != binding.No {
		t.Errorf("settled %s half-way", s.Landed)
	}
	if out := b.must("scale_count", args); len(texts(out["made"])) != 2 || len(out["machines"].([]any)) != 4 {
		t.Errorf("%v", out)
	}
	if s := b.settle("scale_count", args); s.Landed != binding.Yes {
		t.Errorf("settled %s", s.Landed)
	}
	if err := b.sim.KillMachine(b.ids[0]); err != nil {
		t.Fatal(err)
	}
	out := b.must("scale_count", data{"app": "web", "count": 3})
	if got := texts(out["destroyed"]); !slices.Equal(got, b.ids[:1]) {
		t.Errorf("destroyed %v, and not the dead one", got)
	}
	_, err := b.call("scale_memory", data{"app": "web", "memory": 700})
	b.wantFault(err, fault.Invalid, fault.NotDone, "768 MiB")
	b.must("scale_memory", data{"app": "web", "memory": 1024})
	if m := b.must("machine", data{"app": "web", "machine": b.ids[1]}); m["memory"] != 1024.0 || m["healthy"] != true {
		t.Errorf("%v", m)
	}
	if s := b.settle("scale_memory", data{"app": "web", "memory": 1024}); s.Landed != binding.Yes {
		t.Errorf("settled %s", s.Landed)
	}
	b.free()
}

func TestExecRaisesOnAnExitCode(t *testing.T) {
	t.Parallel()
	b := newBench(t).web()
	if out := b.must("exec", data{"app": "web", "machine": b.ids[0], "command": []any{"echo", "a b"}}); out["stdout"] != "a b\n" {
		t.Errorf("%v", out)
	}
	_, err := b.call("exec", data{"app": "web", "machine": b.ids[0], "command": []any{"false"}})
	b.wantFault(err, fault.Failed, fault.Done, "")
	if s := b.settle("exec", data{"app": "web", "machine": b.ids[0], "command": []any{"false"}}); s.Landed != binding.Unknown || s.Look == "" {
		t.Errorf("%+v", s)
	}
}

func TestVolumes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.db("primary")
	volume := b.must("machine", data{"app": "db", "machine": b.ids[0]})["volume"]
	args := data{"app": "db", "volume": volume}
	b.front.fail(actThenCut("POST", "/snapshots"))
	if _, err := b.call("volume_snapshot", args); err == nil {
		t.Fatal("the lost answer was not noticed")
	}
	b.settle("volume_snapshot", args)
	b.must("volume_snapshot", args)
	if n := b.front.count("POST", "/snapshots"); n != 1 {
		t.Errorf("%d snapshots were asked for", n)
	}
	if s := b.settle("volume_snapshot", args); s.Landed != binding.Yes {
		t.Errorf("settled %s", s.Landed)
	}
	if v := b.must("volume_restore", data{"app": "db", "volume": volume, "region": "fra"}); v["region"] != "fra" || v["state"] != "created" {
		t.Errorf("%v", v)
	}
	_, err := b.call("clone", data{"app": "db", "machine": b.ids[0]})
	b.wantFault(err, fault.Invalid, fault.NotDone, "snapshot")
}
