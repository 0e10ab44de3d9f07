package machine

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
)

func TestLifeOfAServer(t *testing.T) {
	b := newBench(t)
	m := b.machine(1, "hobby-1", Hobby)
	if code, answer := b.health(m); code != 503 || !strings.Contains(answer["reason"].(string), "files are missing") {
		t.Errorf("bare hobby image: %d %v", code, answer)
	}
	if err := m.Write(releaseFile, []byte(`{"release":"2024.11.1"}`)); err != nil {
		t.Fatal(err)
	}
	if code, answer := b.health(m); code != 503 || !strings.Contains(answer["reason"].(string), "database") {
		t.Errorf("without tables: %d %v", code, answer)
	}
	if err := m.Seed(b.ctx, Seeds{Customers: 20, Updates: 100}); err != nil {
		t.Fatal(err)
	}
	code, answer := b.health(m)
	if code != 200 || answer["customers"] != 20.0 || answer["release"] != "2024.11.1" || answer["server"] != "hobby-1" {
		t.Errorf("health: %d %v", code, answer)
	}
	w := m.StartWriter(2 * time.Millisecond)
	b.eventually("the writer writes", func() bool { return w.Truth().Count > 105 })

	t.Run("a cut kills, the data survives", func(t *testing.T) {
		c := m.life().cluster()
		m.Cut()
		truth := w.Truth()
		if m.State() != Off || m.Powered() || c.running() || len(childrenOf(c.cmd.Process.Pid)) > 0 {
			t.Errorf("after the cut: %s, powered %v", m.State(), m.Powered())
		}
		if _, reach := m.Port(80); reach != Silence {
			t.Errorf("a port of a dead machine: %v", reach)
		}
		b.boot(m)
		conn, err := b.pg(m, testPassword)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(b.ctx)
		var kept int64
		if err := conn.QueryRow(b.ctx, "SELECT count(*) FROM sync_updates WHERE created_at <= $1", truth.LastCommitted).Scan(&kept); err != nil {
			t.Fatal(err)
		}
		if kept < truth.Count {
			t.Errorf("%d rows were committed, %d survived", truth.Count, kept)
		}
		b.eventually("the writer goes on", func() bool { return w.Truth().Count > truth.Count+2 })
	})

	t.Run("the button reboots in order", func(t *testing.T) {
		before := m.life()
		m.Press(true)
		b.eventually("another life", func() bool { g := m.life(); return g != nil && g != before })
		if err := m.WaitUp(b.ctx); err != nil {
			t.Fatal(err)
		}
		b.open(m, 5432)
		log, err := m.Read("/var/log/postgresql.log")
		if err != nil || !strings.Contains(string(log), "received fast shutdown request") {
			t.Errorf("no orderly shutdown in the log: %v", err)
		}
	})

	t.Run("a hung one answers nobody until it is reset", func(t *testing.T) {
		raw, err := net.Dial("tcp", b.open(m, 80))
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		m.Hang()
		w.Fault(clock.System{}.Now())
		if _, reach := m.Port(22); reach != Silence || m.State() != Hung || !m.Powered() {
			t.Errorf("hung: %s", m.State())
		}
		io.WriteString(raw, "GET /health HTTP/1.0\r\n\r\n")
		raw.SetReadDeadline(clock.System{}.Now().Add(50 * time.Millisecond))
		if n, err := raw.Read(make([]byte, 1)); n > 0 || !os.IsTimeout(err) {
			t.Errorf("a frozen connection gave %d bytes, %v", n, err)
		}
		m.Press(true)
		if m.State() != Hung {
			t.Error("it listened to the button")
		}
		truth := w.Truth()
		if truth.FaultAt.IsZero() || truth.CountAtFault == 0 {
			t.Errorf("truth: %+v", truth)
		}
		m.Cut()
		b.boot(m)
		b.eventually("health", func() bool { code, _ := b.health(m); return code == 200 })
	})

	t.Run("a broken one never comes back", func(t *testing.T) {
		m.Break()
		m.Cut()
		if err := m.Boot(); err != nil {
			t.Fatal(err)
		}
		if _, reach := m.Port(22); m.State() != Broken || !m.Powered() || reach != Silence {
			t.Errorf("broken: %s", m.State())
		}
		if m.WaitUp(b.ctx) == nil {
			t.Error("it came up")
		}
	})
}

func TestSnapshotAndUserData(t *testing.T) {
	b := newBench(t)
	m := b.machine(1, "hobby-1", Hobby)
	if err := m.Seed(b.ctx, Seeds{Customers: 5, Updates: 10}); err != nil {
		t.Fatal(err)
	}
	w := m.StartWriter(time.Millisecond)
	b.eventually("rows", func() bool { return w.Truth().Count > 20 })
	before := w.Truth().Count
	if err := b.rack.Image(1, "4711"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.rack.Provision(b.ctx, Spec{ID: 9, Name: "x", Image: "4712"}); err == nil {
		t.Error("a snapshot that does not exist")
	}
	copied, err := b.rack.Provision(b.ctx, Spec{ID: 2, Name: "copy-1", Image: "4711", UserData: "#!/bin/sh\nhostname > /root/ran\n"})
	if err != nil {
		t.Fatal(err)
	}
	if string(copied.HostKey().Marshal()) == string(m.HostKey().Marshal()) {
		t.Error("the copy has the original's host key")
	}
	b.boot(copied)
	conn, err := b.pg(copied, testPassword)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(b.ctx)
	var rows int64
	if err := conn.QueryRow(b.ctx, "SELECT count(*) FROM sync_updates").Scan(&rows); err != nil || rows < before {
		t.Errorf("%d rows in the copy, %d before it: %v", rows, before, err)
	}
	b.eventually("user data ran", func() bool { text, _ := copied.Read("/root/ran"); return string(text) == "copy-1\n" })
	if err := b.rack.Destroy(1); err != nil {
		t.Fatal(err)
	}
	if _, err := b.rack.Machine(1); err == nil {
		t.Error("destroyed and still there")
	}
	if _, err := os.Stat(m.dir); !os.IsNotExist(err) {
		t.Errorf("the disk stayed: %v", err)
	}
}

func TestRescueIsForOneBoot(t *testing.T) {
	b := newBench(t)
	m := b.machine(1, "hobby-1", Hobby)
	m.Rescue(true)
	m.Cut()
	b.boot(m)
	if out, exit := b.run(b.login(m), "systemctl is-active webhost; cat /etc/hostname"); exit != 0 || !strings.Contains(out, "hobby-1") {
		t.Errorf("rescue: %d %s", exit, out)
	}
	if _, reach := m.Port(80); reach != Refused {
		t.Errorf("port 80 in the rescue system: %v", reach)
	}
	m.Cut()
	b.boot(m)
	b.open(m, 80)
}

func TestPlaceOfADeadOwnerIsSwept(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	kept, err := NewPlace("drhost-sweep-")
	if err != nil {
		t.Fatal(err)
	}
	dead, err := NewPlace("drhost-sweep-")
	if err != nil {
		t.Fatal(err)
	}
	dead.lock.Close() // as the kernel does when a process is killed
	next, err := NewPlace("drhost-sweep-")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead.Dir); !os.IsNotExist(err) {
		t.Errorf("still there: %v", err)
	}
	if _, err := os.Stat(kept.Dir); err != nil {
		t.Errorf("removed under its owner: %v", err)
	}
	for _, p := range []*Place{kept, next} {
		if err := p.Remove(); err != nil {
			t.Error(err)
		}
	}
}
