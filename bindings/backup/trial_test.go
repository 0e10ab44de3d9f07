package backup

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/host/fault"
)

func TestATrialRestoreVerifies(t *testing.T) {
	db := shared.fresh(t, shop)
	c := client(t, map[string]any{"recipients": []any{keyPair(t).Recipient().String()}})
	scratch := t.TempDir()
	if err := os.Chmod(scratch, 0o755); err != nil {
		t.Fatal(err)
	}
	for dir := scratch; dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) { // the server's user goes through them
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	id := made(t, c, "k", db)
	if _, err := call(t, c, "verify", "", map[string]any{"id": id, "depth": "restore"}); fault.As(err).Kind != fault.Denied {
		t.Fatal("without the key nothing deeper than sums is possible:", err)
	}

	c = client(t, map[string]any{"scratch": scratch})
	id = made(t, c, "k", db)
	got, err := call(t, c, "verify", "", map[string]any{"id": id, "depth": "restore"})
	if err != nil || got["depth"] != "restored" {
		t.Fatal(got, err)
	}
	checks := find(t, c, id).Checks
	if checks.Depth != catalogue.DepthRestored || checks.VerifiedAt.IsZero() || !slices.Contains(checks.Compared, "content hashes") || !slices.Contains(checks.Compared, "pg_amcheck") {
		t.Fatalf("%+v", checks)
	}
	left, _ := os.ReadDir(scratch)
	if len(left) > 0 {
		t.Fatal("the trial left", left)
	}
}

// A manifest that counted one row more than the dump holds stands for a dump
// that is whole in itself and yet not what was there.
func TestATrialRestoreFindsWhatSumsCannot(t *testing.T) {
	db := shared.fresh(t, shop)
	c := client(t, nil)
	id := made(t, c, "k", db)
	b := find(t, c, id)
	b.Manifest.Hashes["customers"] = "record:1"
	rewrite(t, c, b, b.Manifest)
	if _, err := call(t, c, "verify", "", map[string]any{"id": id}); err != nil {
		t.Fatal("reading to the end cannot tell:", err)
	}
	_, err := call(t, c, "verify", "", map[string]any{"id": id, "depth": "restore"})
	if f := fault.As(err); f.Kind != fault.Failed || !strings.Contains(f.Message, "customers has as many rows, but other content") {
		t.Fatalf("%+v", f)
	}
	if b := find(t, c, id); !b.Damaged() {
		t.Fatal("it is not known to be damaged")
	}
}
