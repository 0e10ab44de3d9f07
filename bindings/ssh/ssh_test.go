package ssh

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

func TestDeclarationsAreComplete(t *testing.T) {
	if _, err := binding.NewCatalog(Module()); err != nil {
		t.Fatal(err)
	}
}

func TestRun(t *testing.T) {
	d, m := pair(t)
	got, err := d.call(t, "run", map[string]any{"host": m.addr, "command": "say hello", "user": "deploy"})
	if err != nil || got["stdout"] != "deploy says hello" || got["exit"] != 0.0 {
		t.Fatal(got, err)
	}
	got, err = d.call(t, "run", map[string]any{"host": m.addr, "command": "cat", "stdin": "through"})
	if err != nil || got["stdout"] != "through" {
		t.Fatal(got, err)
	}
	got, err = d.call(t, "run", map[string]any{"host": m.addr, "command": "exit 3", "check": false})
	if err != nil || got["exit"] != 3.0 || got["stderr"] != "it broke\n" {
		t.Fatal(got, err)
	}
	_, err = d.call(t, "read", map[string]any{"host": m.addr, "command": "exit 3"})
	if fault.KindOf(err) != fault.Failed || !strings.Contains(err.Error(), "exit code 3: it broke") {
		t.Fatal(err)
	}
	got, err = d.call(t, "run", map[string]any{"host": m.addr, "command": "flood"})
	if out := got["stdout"].(string); err != nil || len(out) != outputLimit || !strings.HasSuffix(out, "end") {
		t.Fatal(len(out), err)
	}
}

func TestALostCommandIsUnclear(t *testing.T) {
	d, m := pair(t)
	_, err := d.call(t, "run", map[string]any{"host": m.addr, "command": "hang", "within": "200ms"})
	if f := fault.As(err); f.Kind != fault.Timeout || f.Sent != fault.Unclear {
		t.Fatalf("%+v", f)
	}
	_, err = d.call(t, "run", map[string]any{"host": m.addr, "command": "cut"})
	if f := fault.As(err); f.Kind != fault.Unavailable || f.Sent != fault.Unclear {
		t.Fatalf("%+v", f)
	}
	s, err := run.Settled(d.Client, t.Context(), runArgs{Host: m.addr, Command: "cut"})
	if err != nil || s.Landed != binding.Unknown || !strings.Contains(s.Look, "cut") {
		t.Fatal(s, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = d.run(ctx, runArgs{Host: m.addr, Command: "say x", Within: time.Second})
	if fault.KindOf(err) != fault.Cancelled {
		t.Fatal(err)
	}
}

func TestHostKeys(t *testing.T) {
	d := newDesk(t, nil)
	m := boot(t, d.public, "")
	print := ssh.FingerprintSHA256(m.signer.PublicKey())
	_, err := d.call(t, "run", map[string]any{"host": m.addr, "command": "say x"})
	if f := fault.As(err); f.Kind != fault.Denied || f.Sent != fault.NotDone || !strings.Contains(f.Message, print) || !strings.Contains(f.Hint, "ssh.trust") {
		t.Fatalf("unknown key: %v", err)
	}
	if got, err := d.call(t, "ready", map[string]any{"host": m.addr}); err != nil || got["ok"] != false {
		t.Fatal(got, err)
	}
	if _, err := d.call(t, "wait_ready", map[string]any{"host": m.addr}); fault.KindOf(err) != fault.Denied {
		t.Fatal(err)
	}
	if _, err = d.call(t, "trust", map[string]any{"host": m.addr, "fingerprint": "SHA256:other"}); fault.KindOf(err) != fault.Denied {
		t.Fatal(err)
	}
	args := trustArgs{Host: m.addr}
	if s, err := trust.Settled(d.Client, t.Context(), args); err != nil || s.Landed != binding.No {
		t.Fatal(s, err)
	}
	got, err := d.call(t, "trust", map[string]any{"host": m.addr, "fingerprint": print})
	if err != nil || got["added"] != true || got["fingerprint"] != print {
		t.Fatal(got, err)
	}
	if s, err := trust.Settled(d.Client, t.Context(), args); err != nil || s.Landed != binding.Yes || s.Result.Fingerprint != print {
		t.Fatal(s, err)
	}
	before, _ := os.ReadFile(filepath.Join(d.dir, "known_hosts"))
	if got, err = d.call(t, "trust", map[string]any{"host": m.addr}); err != nil || got["added"] != false {
		t.Fatal(got, err)
	}
	if got, err = d.call(t, "wait_ready", map[string]any{"host": m.addr}); err != nil {
		t.Fatal(got, err)
	}
	m.server.Close()
	boot(t, d.public, m.addr) // another machine at the same address
	for _, call := range []string{"run", "trust", "ready", "wait_ready"} {
		with := map[string]any{"host": m.addr}
		if call == "run" {
			with["command"] = "say x"
		}
		_, err = d.call(t, call, with)
		if fault.KindOf(err) != fault.Denied || !strings.Contains(err.Error(), "CHANGED") {
			t.Fatalf("%s: %v", call, err)
		}
	}
	after, _ := os.ReadFile(filepath.Join(d.dir, "known_hosts"))
	if string(before) != string(after) || len(before) == 0 {
		t.Fatal("known_hosts was touched")
	}
}

func TestTrustWaitsForAMachineThatBoots(t *testing.T) {
	d := newDesk(t, func(e *binding.Env) { e.Clock = clock.Scaled{Factor: 20} })
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	if _, err := d.call(t, "trust", map[string]any{"host": addr}); fault.KindOf(err) != fault.Unavailable || fault.As(err).Sent != fault.NotDone {
		t.Fatal(err)
	}
	if _, err := d.call(t, "trust", map[string]any{"host": addr, "within": "3s"}); fault.KindOf(err) != fault.Timeout {
		t.Fatal(err)
	}
	said := make(chan string, 100)
	ctx := binding.WithProgress(t.Context(), func(text string) { said <- text })
	got := make(chan error, 1)
	go func() {
		_, err := d.trust(ctx, trustArgs{Host: addr, Within: time.Minute})
		got <- err
	}()
	<-said // it waits
	boot(t, d.public, addr)
	if err := <-got; err != nil {
		t.Fatal(err)
	}
}

func TestKnownHostsNameTheAddressAndNotTheSocket(t *testing.T) {
	d := newDesk(t, nil)
	m := boot(t, d.public, "")
	d = newDesk(t, func(e *binding.Env) { e.Net = loopback{alias: map[string]string{"203.0.113.10:22": m.addr}} })
	if _, err := d.call(t, "trust", map[string]any{"host": "203.0.113.10"}); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(filepath.Join(d.dir, "known_hosts"))
	if !strings.HasPrefix(string(text), "203.0.113.10 ssh-ed25519 ") {
		t.Fatalf("%s", text)
	}
}

func TestFaultsOfConnecting(t *testing.T) {
	d, m := pair(t)
	other := newDesk(t, nil)
	other.knows(t, m.addr, m.signer.PublicKey())
	_, err := other.call(t, "run", map[string]any{"host": m.addr, "command": "say x"})
	if f := fault.As(err); f.Kind != fault.Denied || f.Sent != fault.NotDone || !strings.Contains(f.Hint, "authorized_keys") {
		t.Fatalf("wrong key: %v", err)
	}
	m.server.Close()
	_, err = d.call(t, "run", map[string]any{"host": m.addr, "command": "say x"})
	if f := fault.As(err); f.Kind != fault.Unavailable || !f.Transient || f.Sent != fault.NotDone {
		t.Fatalf("refused: %v", err)
	}
	if got, err := d.call(t, "ready", map[string]any{"host": m.addr}); err != nil || got["reason"] != "connection refused" {
		t.Fatal(got, err)
	}
	_, err = d.call(t, "run", map[string]any{"host": "127.0.0.1:0", "command": "say x"})
	if fault.KindOf(err) != fault.Invalid {
		t.Fatal(err)
	}
}

func TestASilentMachineTimesOutAndTheCutIsCounted(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := newDesk(t, func(e *binding.Env) { e.Clock = clock.Scaled{Factor: 100} })
	ctx, meter := clock.WithMeter(t.Context())
	got, err := ready.Call(d.Client, ctx, readyArgs{Host: l.Addr().String()})
	if err != nil || got.OK || got.Reason != "no answer in time" || meter.Total() != 9*time.Second {
		t.Fatal(got, err, meter.Total())
	}
}

func TestAnAddressThatNobodyAnswersFor(t *testing.T) {
	d := newDesk(t, func(e *binding.Env) {
		e.Net, e.Settings["connect_timeout"] = loopback{hole: "203.0.113.9:22"}, "200ms"
	})
	if got, err := d.call(t, "ready", map[string]any{"host": "203.0.113.9"}); err != nil || got["reason"] != "no answer in time" {
		t.Fatal(got, err)
	}
}

func TestAHungHandshakeEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := newDesk(t, func(e *binding.Env) { e.Settings["connect_timeout"] = "200ms" })
	_, err = d.call(t, "run", map[string]any{"host": l.Addr().String(), "command": "say x"})
	if f := fault.As(err); f.Kind != fault.Timeout || f.Sent != fault.NotDone {
		t.Fatalf("%v", err)
	}
}

func TestABadKeyIsNotQuoted(t *testing.T) {
	d := newDesk(t, func(e *binding.Env) {
		e.Secret = func(string) (secret.Value, error) { return secret.New("hush-hush-key"), nil }
	})
	_, err := d.call(t, "run", map[string]any{"host": "127.0.0.1", "command": "say x"})
	if fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), "hush") {
		t.Fatal(err)
	}
}
