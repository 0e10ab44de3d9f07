package gate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/secret"
)

const hidden = "t0ken-0f-the-c10ud"

// tape keeps what is journaled; it fails from the append on that dies names.
type tape struct {
	records []journal.Record
	dies    int // 0: never
}

func (l *tape) Append(kind journal.Kind, payload any, _ bool) (journal.Record, error) {
	if l.dies > 0 && len(l.records)+1 >= l.dies {
		return journal.Record{}, fmt.Errorf("killed")
	}
	text, err := json.Marshal(payload)
	r := journal.Record{Seq: int64(len(l.records) + 1), Kind: kind, Payload: text, Hash: fmt.Sprintf("hash-%d", len(l.records)+1)}
	l.records = append(l.records, r)
	return r, err
}
func (l *tape) Records() []journal.Record { return l.records }
func (l *tape) Close() error              { return nil }

func (l *tape) text() string {
	var b strings.Builder
	for _, r := range l.records {
		b.Write(r.Payload)
		b.WriteByte('\n')
	}
	return b.String()
}

// witness is an operator who writes down what it is shown.
type witness struct{ shown strings.Builder }

func (w *witness) Approve(_ context.Context, q gate.Question) (gate.Answer, error) {
	fmt.Fprintf(&w.shown, "%+v\n", q)
	return gate.Answer{Text: "approved", By: "witness"}, nil
}
func (w *witness) Choose(_ context.Context, q gate.Question) (gate.Answer, error) {
	fmt.Fprintf(&w.shown, "%+v\n", q)
	return gate.Answer{Text: q.Text}, nil
}
func (w *witness) Settle(_ context.Context, l gate.Lost) (gate.Verdict, error) {
	fmt.Fprintf(&w.shown, "%+v\n", l)
	return gate.Verdict{Landed: binding.Yes, Result: json.RawMessage(fmt.Sprintf("%q", hidden)), By: "witness"}, nil
}
func (w *witness) Recover(context.Context, gate.Failure) (gate.Remedy, error) {
	return gate.Remedy{}, gate.ErrNobody
}

func guarded(t *testing.T, log journal.Log, w *witness, r *secret.Redactor) *gate.Gate {
	t.Helper()
	g, err := gate.New(gate.Options{Run: "r", Log: log, Operator: w, Rules: policy.Rules{Mode: policy.Run, YesDestroys: true}, Redactor: r,
		Observe: func(e gate.Event) {
			if e.Calling != nil {
				fmt.Fprintf(&w.shown, "%+v\n", *e.Calling)
			}
			if e.Progress != nil {
				fmt.Fprintf(&w.shown, "%+v\n", *e.Progress)
			}
		}}, log.Records())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestNothingThatIsJournaledHoldsASecret sends a secret through every kind of
// record and every field that carries data or prose.
func TestNothingThatIsJournaledHoldsASecret(t *testing.T) {
	r := &secret.Redactor{}
	r.Add(secret.New(hidden))
	log, w := &tape{}, &witness{}
	g := guarded(t, log, w, r)
	bad := fault.New(fault.Denied, "the token %s is wrong", hidden).WithHint("not %s", hidden).WithOp("with %s", hidden)
	data := func() map[string]any {
		return map[string]any{"x": hidden, "list": []any{"a " + hidden}, "deep": map[string]any{"y": hidden}}
	}
	for kind, payload := range map[journal.Kind]any{
		journal.RunStarted:    journal.Started{Input: data()},
		journal.StepFinished:  journal.Step{Path: "p", Value: data(), Fault: bad, Reason: hidden},
		journal.CallIntent:    journal.Intent{Args: data(), Says: hidden},
		journal.CallOutcome:   journal.Outcome{Args: data(), Says: hidden, Value: hidden, Fault: bad},
		journal.ApprovalGiven: journal.Approval{Text: hidden, Answer: hidden, BreakGlass: hidden},
		journal.Note:          journal.NoteText{Text: hidden, Evidence: data()},
		journal.SourceChanged: journal.Change{Diff: hidden},
		journal.FaultInjected: journal.Injected{Args: data()},
		journal.RunFinished:   journal.Finished{Message: hidden, Fault: bad},
		journal.UndoStarted:   journal.Undoing{Left: []string{hidden}, Lost: []string{"a " + hidden}},
		"a kind of later":     struct{ Note []string }{[]string{hidden}},
	} {
		if err := g.Append(kind, payload, true); err != nil {
			t.Fatal(err)
		}
	}
	sc := &gate.Scope{}
	op := func(effect binding.Effect, exec func(context.Context) (any, error)) gate.Op {
		return gate.Op{Call: "x.y", Effect: effect, Args: data(), Says: "say " + hidden, Exec: exec,
			Settle: func(context.Context) (binding.Settlement[any], error) {
				return binding.Settlement[any]{Look: "look at " + hidden}, nil
			}}
	}
	value, err := g.Do(t.Context(), sc, op(binding.Reads, func(ctx context.Context) (any, error) {
		binding.Progress(ctx, "still %s", hidden)
		return "got " + hidden, nil
	}))
	if err != nil || value != "got "+secret.Mark {
		t.Errorf("the script sees what the journal does not hold: %v %v", value, err)
	}
	_, err = g.Do(t.Context(), sc, op(binding.Mutates, func(context.Context) (any, error) { return nil, bad }))
	if err == nil || strings.Contains(err.Error(), hidden) || fault.KindOf(err) != fault.Denied {
		t.Errorf("the fault is %v", err)
	}
	value, err = g.Do(t.Context(), sc, op(binding.Mutates, func(context.Context) (any, error) {
		return nil, fault.New(fault.Timeout, "no answer, sent %s", hidden)
	}))
	if err != nil || value != secret.Mark {
		t.Errorf("what the operator typed was not redacted: %v %v", value, err)
	}
	if _, err := g.Approve(t.Context(), "k", gate.Question{Text: "go on with " + hidden}, 1); err != nil {
		t.Fatal(err)
	}
	if text := log.text(); strings.Contains(text, hidden) {
		t.Errorf("in the journal: %s", text)
	}
	if text := w.shown.String(); strings.Contains(text, hidden) || !strings.Contains(text, "still "+secret.Mark) {
		t.Errorf("on the terminal: %s", text)
	}
}

// TestArgumentsAreCopied: what a call was given is sent as it is, whatever the
// journal holds of it.
func TestArgumentsAreCopied(t *testing.T) {
	r := &secret.Redactor{}
	r.Add(secret.New(hidden))
	g := guarded(t, &tape{}, &witness{}, r)
	body := map[string]any{"list": []any{hidden}}
	if _, err := g.Do(t.Context(), &gate.Scope{}, gate.Op{Call: "http.send", Args: map[string]any{"json": body},
		Exec: func(context.Context) (any, error) { return nil, nil }}); err != nil {
		t.Fatal(err)
	}
	if body["list"].([]any)[0] != hidden {
		t.Error("redacting the journal changed what is sent")
	}
}

// TestASecretLearntBetweenTwoLives: the first life knew a credential when it
// journaled a call, the second does not yet, or the other way round. It is the
// same call, and it is settled with the key it was sent with.
func TestASecretLearntBetweenTwoLives(t *testing.T) {
	knowing := func() *secret.Redactor {
		r := &secret.Redactor{}
		r.Add(secret.New(hidden))
		return r
	}
	for name, lives := range map[string][2]*secret.Redactor{"known, then not": {knowing(), {}}, "not known, then known": {{}, knowing()}} {
		t.Run(name, func(t *testing.T) {
			var sent, settled string
			calls := func(g *gate.Gate) error {
				sc := &gate.Scope{}
				if _, err := g.Do(t.Context(), sc, gate.Op{Call: "a.read", Args: map[string]any{"n": 3.0, "at": "x?" + hidden + "&y"},
					Exec: func(context.Context) (any, error) { return 1.0, nil }}); err != nil {
					return err
				}
				_, err := g.Do(t.Context(), sc, gate.Op{Call: "a.write", Effect: binding.Mutates, Args: map[string]any{"at": hidden},
					Exec: func(ctx context.Context) (any, error) { sent = binding.Key(ctx); return nil, nil },
					Settle: func(ctx context.Context) (binding.Settlement[any], error) {
						settled = binding.Key(ctx)
						return binding.Settlement[any]{Landed: binding.Yes}, nil
					}})
				return err
			}
			log := &tape{dies: 3} // outcome, intent, and not the second outcome
			if err := calls(guarded(t, log, &witness{}, lives[0])); err == nil {
				t.Fatal("the journal did not break")
			}
			log.dies = 0
			if err := calls(guarded(t, log, &witness{}, lives[1])); err != nil {
				t.Fatalf("the second life: %v", err)
			}
			if sent == "" || settled != sent {
				t.Errorf("sent with key %q, asked for %q", sent, settled)
			}
		})
	}
	log := &tape{}
	g := guarded(t, log, &witness{}, knowing())
	read := func(g *gate.Gate, at string) error {
		_, err := g.Do(t.Context(), &gate.Scope{}, gate.Op{Call: "a.read", Args: map[string]any{"at": at}, Exec: func(context.Context) (any, error) { return 1.0, nil }})
		return err
	}
	if err := read(g, "x "+hidden+" y"); err != nil {
		t.Fatal(err)
	}
	if err := read(guarded(t, log, &witness{}, &secret.Redactor{}), "x other z"); err == nil {
		t.Error("another call passed as the same because a part of it was redacted")
	}
}
