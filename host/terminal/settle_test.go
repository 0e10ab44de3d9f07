package terminal

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/gate"
)

// person is a Person who types the lines given, and what was said to them.
func person(lines ...string) (*Person, *bytes.Buffer) {
	out := &bytes.Buffer{}
	return NewPerson(io.NopCloser(strings.NewReader(strings.Join(lines, "\n")+"\n")), out, "ada"), out
}

// TestResultHasToFit: what a person says a lost call gave is what the runbook
// will read, so it is asked for until it has the call's form.
func TestResultHasToFit(t *testing.T) {
	result := &binding.Type{Kind: binding.Record, Name: "ssh.Result", Fields: []*binding.Field{
		{Name: "exit", Type: &binding.Type{Kind: binding.Integer}}, {Name: "stdout", Type: &binding.Type{Kind: binding.String}}}}
	p, out := person("maybe", "yes", "", `"wrong"`, `{"exit": 0}`, `{"exit": 0, "stdout": "hi"}`)
	v, err := p.Settle(context.Background(), gate.Lost{Says: "run it", Result: result})
	if err != nil || v.Landed != binding.Yes || string(v.Result) != `{"exit": 0, "stdout": "hi"}` {
		t.Fatalf("%+v, %v\n%s", v, err, out)
	}
	for _, want := range []string{`{"exit": integer, "stdout": "text"}`, `lacks "stdout"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is missing in\n%s", want, out)
		}
	}
	p, out = person("yes")
	v, err = p.Settle(context.Background(), gate.Lost{Says: "forget it", Result: &binding.Type{Kind: binding.Nothing}})
	if err != nil || v.Landed != binding.Yes || v.Result != nil {
		t.Fatalf("a call that gives nothing: %+v, %v\n%s", v, err, out)
	}
}

// TestAnotherPerson: of an approval that needs two people the second has to be
// another one.
func TestAnotherPerson(t *testing.T) {
	p, out := person("yes", "", "yes", "", "ada", "bob")
	q := gate.Question{Text: "Delete everything", Needs: 2}
	first, err := p.Approve(context.Background(), q)
	if err != nil || first.By != "ada" {
		t.Fatalf("%+v, %v\n%s", first, err, out)
	}
	q.Given = []string{first.By}
	second, err := p.Approve(context.Background(), q)
	if err != nil || second.By != "bob" || second.Text != "approved" {
		t.Fatalf("%+v, %v\n%s", second, err, out)
	}
	if !strings.Contains(out.String(), "ada has approved already; somebody else has to") {
		t.Errorf("%s", out)
	}
}
