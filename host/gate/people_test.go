package gate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/approval"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/secret"
)

// levers are those that a test pulls.
type levers struct {
	mu             sync.Mutex
	halted, paused string
}

func (l *levers) set(halted, paused string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.halted, l.paused = halted, paused
}
func (l *levers) Halted() string { l.mu.Lock(); defer l.mu.Unlock(); return l.halted }
func (l *levers) Paused() string { l.mu.Lock(); defer l.mu.Unlock(); return l.paused }

// person answers what the test says; without an answer nobody is there.
type person struct {
	choose  string
	approve func(q gate.Question) (gate.Answer, error)
	asked   chan gate.Question // told of every question; may be nil
}

func (p *person) Approve(_ context.Context, q gate.Question) (gate.Answer, error) {
	if p.approve == nil {
		return gate.Answer{}, gate.ErrNobody
	}
	return p.approve(q)
}
func (p *person) Choose(ctx context.Context, q gate.Question) (gate.Answer, error) {
	if p.asked != nil {
		p.asked <- q
	}
	switch p.choose {
	case "":
		return gate.Answer{}, gate.ErrNobody
	case "silence":
		<-ctx.Done()
		return gate.Answer{}, context.Cause(ctx)
	}
	return gate.Answer{Text: p.choose, By: "mira"}, nil
}
func (p *person) Settle(context.Context, gate.Lost) (gate.Verdict, error) {
	return gate.Verdict{}, gate.ErrNobody
}
func (p *person) Recover(context.Context, gate.Failure) (gate.Remedy, error) {
	return gate.Remedy{}, gate.ErrNobody
}

func open(t *testing.T, o gate.Options, log *tape) *gate.Gate {
	t.Helper()
	o.Run, o.Log, o.Redactor, o.By = "r1", log, &secret.Redactor{}, "mira"
	if o.Clock == nil {
		o.Clock = clock.Scaled{Factor: 1000}
	}
	if o.Rules.Mode == "" {
		o.Rules.Mode = policy.Run
	}
	if o.Operator == nil {
		o.Operator = &person{}
	}
	g, err := gate.New(o, slices.Clone(log.records))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func mutate(ctx context.Context, g *gate.Gate, exec func() error) error {
	_, err := g.Do(ctx, &gate.Scope{}, gate.Op{Call: "cloud.reboot", Effect: binding.Mutates, Says: "reboot hobby-1", Site: journal.Site{File: "a.lua", Line: 3},
		Exec: func(context.Context) (any, error) { return nil, exec() },
		Settle: func(context.Context) (binding.Settlement[any], error) {
			return binding.Settlement[any]{Landed: binding.No}, nil
		}})
	return err
}

func read(ctx context.Context, g *gate.Gate) error {
	_, err := g.Do(ctx, &gate.Scope{Path: "reads"}, gate.Op{Call: "cloud.server", Effect: binding.Reads, Says: "look",
		Exec: func(context.Context) (any, error) { return "here", nil }})
	return err
}

func stopOf(t *testing.T, err error) *gate.Stop {
	t.Helper()
	var stop *gate.Stop
	if !errors.As(err, &stop) {
		t.Fatalf("%v is no stop", err)
	}
	return stop
}

func TestHaltStopsUnattended(t *testing.T) {
	log, l := &tape{}, &levers{halted: "every run is halted by anna: an audit"}
	g := open(t, gate.Options{Levers: l}, log)
	sent := 0
	stop := stopOf(t, mutate(t.Context(), g, func() error { sent++; return nil }))
	if stop.Why != gate.Held || !strings.Contains(stop.Text, "an audit") || !strings.Contains(stop.Text, "a.lua:3") || !strings.Contains(stop.Text, "drhost halt --lift") {
		t.Errorf("%+v", stop)
	}
	if sent > 0 || strings.Contains(log.text(), "idempotency_key") {
		t.Errorf("sent %d times; journal:\n%s", sent, log.text())
	}
	if err := read(t.Context(), g); err != nil {
		t.Errorf("a read while halted: %v", err)
	}
	l.set("", "")
	g = open(t, gate.Options{Levers: l}, log)
	if err := errors.Join(read(t.Context(), g), mutate(t.Context(), g, func() error { sent++; return nil })); err != nil || sent != 1 {
		t.Errorf("after it was lifted: %v, sent %d times", err, sent)
	}
}

// TestHaltWithPerson: who is at the run may wait or stop, and need not answer
// when the lever is lifted meanwhile.
func TestHaltWithPerson(t *testing.T) {
	for _, c := range []struct{ choose, want string }{{"wait", ""}, {"silence", ""}, {"stop", "stopped by mira"}} {
		log, l := &tape{}, &levers{halted: "halted"}
		p := &person{choose: c.choose, asked: make(chan gate.Question, 1)}
		g := open(t, gate.Options{Levers: l, Operator: p}, log)
		go func() {
			if q := <-p.asked; !slices.Equal(q.Choices, []string{"wait", "stop"}) {
				t.Errorf("asked %+v", q)
			}
			if c.choose != "stop" {
				l.set("", "")
			}
		}()
		sent := 0
		err := mutate(t.Context(), g, func() error { sent++; return nil })
		if c.want == "" && (err != nil || sent != 1 || !strings.Contains(log.text(), "no longer held")) {
			t.Errorf("%s: %v, sent %d times\n%s", c.choose, err, sent, log.text())
		}
		if c.want != "" && (sent != 0 || !strings.Contains(stopOf(t, err).Text, c.want)) {
			t.Errorf("%s: %v, sent %d times", c.choose, err, sent)
		}
	}
}

// TestHaltWhileAsking: a lever that is pulled while somebody thinks about a
// question stops what they consent to.
func TestHaltWhileAsking(t *testing.T) {
	log, l := &tape{}, &levers{}
	p := &person{approve: func(gate.Question) (gate.Answer, error) {
		l.set("halted meanwhile", "")
		return gate.Answer{Text: "approved", By: "mira"}, nil
	}}
	g := open(t, gate.Options{Levers: l, Operator: p, Rules: policy.Rules{Mode: policy.Run}}, log)
	_, err := g.Do(t.Context(), &gate.Scope{}, gate.Op{Call: "cloud.delete", Effect: binding.Destroys, Says: "delete hobby-1",
		Exec: func(context.Context) (any, error) { t.Error("it was sent"); return nil, nil }})
	if stop := stopOf(t, err); stop.Why != gate.Held {
		t.Errorf("%+v", stop)
	}
}

// TestHaltBetweenTries: a mutation that was refused for the moment is not sent
// again while a lever is down; on resume, with the lever up, it is sent once.
func TestHaltBetweenTries(t *testing.T) {
	log, l := &tape{}, &levers{}
	sent := 0
	refuse := func() error {
		sent++
		l.set("halted between two tries", "")
		return fault.New(fault.RateLimited, "slow down")
	}
	if stop := stopOf(t, mutate(t.Context(), open(t, gate.Options{Levers: l}, log), refuse)); stop.Why != gate.Held || sent != 1 {
		t.Fatalf("%+v, sent %d times", stop, sent)
	}
	if stop := stopOf(t, mutate(t.Context(), open(t, gate.Options{Levers: l}, log), refuse)); stop.Why != gate.Held || sent != 1 {
		t.Fatalf("resumed while halted: %+v, sent %d times", stop, sent)
	}
	l.set("", "")
	if err := mutate(t.Context(), open(t, gate.Options{Levers: l}, log), func() error { sent++; return nil }); err != nil || sent != 2 {
		t.Errorf("%v, sent %d times", err, sent)
	}
}

func TestPauseHoldsReadsToo(t *testing.T) {
	log, l := &tape{}, &levers{paused: "this run is paused by anna"}
	g := open(t, gate.Options{Levers: l, Observe: func(e gate.Event) {
		if e.Progress != nil {
			l.set("", "")
		}
	}}, log)
	if err := read(t.Context(), g); err != nil || !strings.Contains(log.text(), "paused by anna") || !strings.Contains(log.text(), "no longer held") {
		t.Errorf("%v\n%s", err, log.text())
	}
	l.set("", "paused again")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&gate.Stop{Why: gate.Interrupted, Text: "Ctrl-C"})
	if stop := stopOf(t, read(ctx, open(t, gate.Options{Levers: l}, log))); stop.Why != gate.Interrupted {
		t.Errorf("%+v", stop)
	}
}

func TestBreakGlassPassesHalt(t *testing.T) {
	log, l := &tape{}, &levers{halted: "halted by anna"}
	g := open(t, gate.Options{Levers: l, Rules: policy.Rules{Mode: policy.Run, BreakGlass: "customers are down and anna is asleep"}}, log)
	for range 2 {
		if err := mutate(t.Context(), g, func() error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.text(), "BREAK-GLASS by mira: customers are down"); n != 1 {
		t.Errorf("recorded %d times:\n%s", n, log.text())
	}
}

func gather(t *testing.T, g *gate.Gate, needs int, within time.Duration) ([]string, error) {
	t.Helper()
	v, err := g.Do(t.Context(), &gate.Scope{Path: "Agree"}, gate.Op{Call: gate.ApproveCall, Effect: binding.Reads, Says: "approve", People: true,
		Exec: func(ctx context.Context) (any, error) {
			return g.Gather(ctx, "Agree", gate.Question{Text: "Give up hobby-1", Site: journal.Site{File: "a.lua", Line: 7}}, needs, within)
		}})
	by, _ := v.([]string)
	return by, err
}

func TestGatherSigned(t *testing.T) {
	d := newDesk(t)
	d.answers["anna"], d.late, d.refused = approval.Approved, map[string]string{"ben": approval.Approved}, []string{"eve is no approver"}
	log := &tape{}
	// --yes and who is at the run do not count.
	p := &person{approve: func(gate.Question) (gate.Answer, error) { t.Error("the operator was asked"); return gate.Answer{}, nil }}
	by, err := gather(t, open(t, gate.Options{Signatures: d, Attended: true, Operator: p}, log), 2, 0)
	if err != nil || !slices.Equal(by, []string{"anna", "ben"}) {
		t.Fatalf("%v %v", by, err)
	}
	var signed int
	for _, r := range log.records {
		if r.Kind == journal.ApprovalGiven {
			a, err := journal.Decode[journal.Approval](r)
			if err != nil || a.Signed == nil || a.Asked != "hash-1" || a.Call != "Agree/1" {
				t.Errorf("%+v %v", a, err)
			}
			signed++
		}
	}
	if signed != 2 || !strings.Contains(log.text(), "eve is no approver") {
		t.Errorf("%d signed answers in\n%s", signed, log.text())
	}
}

// TestGatherAcrossLives: what was approved before the run died counts, and
// the answers that were laid down meanwhile.
func TestGatherAcrossLives(t *testing.T) {
	d, log := newDesk(t), &tape{}
	d.answers["anna"] = approval.Approved
	_, err := gather(t, open(t, gate.Options{Signatures: d}, log), 2, 0)
	if stop := stopOf(t, err); stop.Why != gate.Nobody || !strings.Contains(stop.Text, "1 of 2") || !strings.Contains(stop.Text, "drhost approve r1") {
		t.Fatalf("%+v", stop)
	}
	d.answers = map[string]string{"ben": approval.Approved}
	by, err := gather(t, open(t, gate.Options{Signatures: d}, log), 2, 0)
	if err != nil || !slices.Equal(by, []string{"anna", "ben"}) {
		t.Errorf("%v %v", by, err)
	}
	if n := strings.Count(log.text(), `"signing":true`); n != 1 {
		t.Errorf("asked %d times:\n%s", n, log.text())
	}
}

// TestDeniedAndUnanswered are different results, in the message and in the
// journal.
func TestDeniedAndUnanswered(t *testing.T) {
	d, log := newDesk(t), &tape{}
	d.answers["anna"], d.answers["ben"] = approval.Approved, approval.Denied
	_, err := gather(t, open(t, gate.Options{Signatures: d}, log), 2, 0)
	if stop := stopOf(t, err); stop.Why != gate.Refused || !strings.Contains(stop.Text, "denied by ben") || !strings.Contains(log.text(), `"answer":"denied"`) {
		t.Errorf("%+v\n%s", stop, log.text())
	}

	d, log = newDesk(t), &tape{}
	_, err = gather(t, open(t, gate.Options{Signatures: d}, log), 1, time.Second)
	if stop := stopOf(t, err); stop.Why != gate.Nobody || !strings.Contains(stop.Text, "nobody answered within 1s") || !strings.Contains(log.text(), `"answer":"unanswered"`) {
		t.Errorf("%+v\n%s", stop, log.text())
	}
	// It is asked anew: a signature over the old question is one over the old.
	d.answers["anna"] = approval.Approved
	if by, err := gather(t, open(t, gate.Options{Signatures: d}, log), 1, 10*time.Minute); err != nil || len(by) != 1 {
		t.Errorf("%v %v", by, err)
	}
	if n := strings.Count(log.text(), `"signing":true`); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

func TestWithinEndsAPersonsSilence(t *testing.T) {
	p := &silent{}
	log := &tape{}
	g := open(t, gate.Options{Operator: p, Attended: true}, log)
	_, err := gather(t, g, 1, 50*time.Millisecond)
	if stop := stopOf(t, err); stop.Why != gate.Nobody || !strings.Contains(stop.Text, "nobody answered within 50ms:") || !strings.Contains(log.text(), "unanswered") {
		t.Errorf("%+v", stop)
	}
}

// TestPeopleTakeTheirTime: a simulated world that runs faster than life leaves
// people as long as the runbook says.
func TestPeopleTakeTheirTime(t *testing.T) {
	log, began := &tape{}, time.Now()
	p := &person{approve: func(gate.Question) (gate.Answer, error) { return gate.Answer{Text: "approved", By: "mira"}, nil }}
	if _, err := gather(t, open(t, gate.Options{Operator: p, Attended: true, Clock: clock.Scaled{Factor: 1000}}, log), 1, 10*time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, r := range log.records {
		if r.Kind != journal.ApprovalAsked {
			continue
		}
		a, err := journal.Decode[journal.Approval](r)
		if err != nil || a.Until == nil || a.Until.Before(began.Add(10*time.Minute)) {
			t.Errorf("asked at %s, until %v, %v", began, a.Until, err)
		}
		return
	}
	t.Errorf("nobody was asked:\n%s", log.text())
}

// silent is a person who does not answer.
type silent struct{ person }

func (silent) Approve(ctx context.Context, _ gate.Question) (gate.Answer, error) {
	<-ctx.Done()
	return gate.Answer{}, context.Cause(ctx)
}

func TestTooFewApprovers(t *testing.T) {
	_, err := gather(t, open(t, gate.Options{Signatures: newDesk(t), Attended: true}, &tape{}), 4, 0)
	if stop := stopOf(t, err); !strings.Contains(stop.Text, "names 3 as [[approvers]]") {
		t.Errorf("%+v", stop)
	}
}

func TestBreakGlassStandsForTheOthers(t *testing.T) {
	log := &tape{}
	rules := policy.Rules{Mode: policy.Run, BreakGlass: "everybody else is on a plane"}
	by, err := gather(t, open(t, gate.Options{Signatures: newDesk(t), Rules: rules}, log), 3, 0)
	if err != nil || !slices.Equal(by, []string{"mira (break-glass)"}) || !strings.Contains(log.text(), `"break_glass":"everybody else is on a plane"`) {
		t.Errorf("%v %v\n%s", by, err, log.text())
	}
	// One unsigned person needs no glass to be broken: the operator is asked.
	if _, err := gather(t, open(t, gate.Options{Rules: rules}, &tape{}), 1, 0); stopOf(t, err).Why != gate.Nobody {
		t.Errorf("%v", err)
	}
	// Died before the outcome was written: it counts in the next life.
	log.records = log.records[:2]
	if by, err := gather(t, open(t, gate.Options{Signatures: newDesk(t)}, log), 3, 0); err != nil || len(by) != 1 {
		t.Errorf("%v %v", by, err)
	}
}

// TestSamePersonTwice: one person asked twice is not two, in no life.
func TestSamePersonTwice(t *testing.T) {
	log := &tape{}
	p := &person{approve: func(gate.Question) (gate.Answer, error) { return gate.Answer{Text: "approved", By: "mira"}, nil }}
	for range 3 {
		_, err := gather(t, open(t, gate.Options{Operator: p}, log), 2, 0)
		if stop := stopOf(t, err); stop.Why != gate.Nobody || !strings.Contains(stop.Text, "2 different people, and mira has") {
			t.Errorf("%+v", stop)
		}
	}
}

// TestNotFoundNamesTheEnvironment: a name from another environment is the
// likeliest mistake.
func TestNotFoundNamesTheEnvironment(t *testing.T) {
	g := open(t, gate.Options{Env: "sim:20260228-x"}, &tape{})
	err := mutate(t.Context(), g, func() error {
		return fault.New(fault.NotFound, "there is no server hobby-9").WithHint("did you mean hobby-1?")
	})
	if !strings.Contains(err.Error(), `(did you mean hobby-1?; this is environment "sim")`) {
		t.Errorf("%v", err)
	}
}
