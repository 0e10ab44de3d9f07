package postgres

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestTempFolderCanBeEntered: where the server's user may not go, as in a
// private TMPDIR of root's, the folder is made elsewhere, and is the user's.
func TestTempFolderCanBeEntered(t *testing.T) {
	as, err := Unprivileged()
	if err != nil {
		t.Fatal(err)
	}
	private := filepath.Join(t.TempDir(), "private")
	if err := os.Mkdir(private, 0o700); err != nil {
		t.Fatal(err)
	}
	made, err := TempFolder(private, "drhost-test-", as)
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(made)
	if as == nil { // not root: everything is drhost's own
		if filepath.Dir(made) != private {
			t.Errorf("made %s", made)
		}
		return
	}
	info, err := os.Stat(made)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(made) == private || !enterable(made, as) || info.Sys().(*syscall.Stat_t).Uid != as.Uid {
		t.Errorf("made %s, which the user may not enter", made)
	}
}
