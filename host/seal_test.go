package host

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/sandbox"
)

// TestSealBeforeTheJournalSpeaks: a run that dies after an edited script was
// sealed, but before the journal names it, still finds the one it named last.
func TestSealBeforeTheJournalSpeaks(t *testing.T) {
	folder := t.TempDir()
	first := bundle{Source: sandbox.Source{File: "runbooks/a.lua", Text: []byte("return 1\n")}}
	edited := bundle{Source: sandbox.Source{File: "runbooks/a.lua", Text: []byte("return 2\n")}}
	started := journal.Started{Runbook: first.File, SourceHash: hash(first.Source)}
	for _, err := range []error{seal(folder, first), sealEdited(folder, edited)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []bundle{first, edited} {
		got, err := unseal(folder, started, hash(want.Source))
		if err != nil || string(got.Text) != string(want.Text) {
			t.Errorf("unsealed %q, %v; want %q", got.Text, err, want.Text)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "source", "a.lua"), []byte("return 3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := unseal(folder, started, hash(first.Source)); err == nil {
		t.Error("a script that was changed after the fact is unsealed")
	}
}

// TestUnsealOlder: older versions put an edited script in place of the first.
func TestUnsealOlder(t *testing.T) {
	folder := t.TempDir()
	edited := bundle{Source: sandbox.Source{File: "a.lua", Text: []byte("return 2\n")}}
	if err := seal(folder, edited); err != nil {
		t.Fatal(err)
	}
	got, err := unseal(folder, journal.Started{Runbook: "a.lua", SourceHash: "0123456789abcdef"}, hash(edited.Source))
	if err != nil || string(got.Text) != string(edited.Text) {
		t.Errorf("unsealed %q, %v", got.Text, err)
	}
}
